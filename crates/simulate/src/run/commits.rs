//! What a run does for commits.

use super::{Run, Who};
use crate::writes::{Group, GroupStep};

impl Run<'_> {
    /// Begins a transaction where commits wait and none is under way.
    pub(super) fn gather(&mut self, key: (usize, u64)) {
        let Some(gathering) = self.gathering.get_mut(&key) else { return };
        if gathering.under_way {
            return;
        }
        let count = gathering.waiting.len().min(self.figures.group_commits_max as usize);
        if count == 0 {
            self.gathering.remove(&key);
            return;
        }
        gathering.under_way = true;
        let jobs: Vec<usize> = gathering.waiting.drain(..count).collect();
        let costs = jobs.iter().filter_map(|job| self.jobs.get(*job)).map(|job| self.figures.cost(job.operation));
        let (mut database_ms, mut bytes) = (0.0, self.figures.group_wal_bytes);
        for cost in costs {
            database_ms += cost.database_ms / 2.0;
            bytes += cost.wal_bytes;
        }
        self.commits += jobs.len() as u64;
        self.transactions += 1;
        let (node, root) = key;
        let life = self.nodes.get(node).map_or(0, |node| node.life);
        let group = self.groups.add(Group { node, life, root, jobs, step: GroupStep::Send, database_ms, bytes });
        let now = self.now;
        if self.nodes.get_mut(node).and_then(|node| node.writers.take(now, group)).is_some() {
            self.group_goes_on(group);
        }
    }

    pub(super) fn group_goes_on(&mut self, number: usize) {
        let Some(group) = self.groups.get_mut(number) else { return };
        let (step, node, root) = (group.step, group.node, group.root);
        let life = group.life;
        if !self.lives(node, life) {
            self.group_ends(number, matches!(step, GroupStep::Send | GroupStep::Lock));
            return;
        }
        let Some(group) = self.groups.get_mut(number) else { return };
        let who = Who::Group(number);
        let fixed = self.figures.group_database_ms / 2.0;
        match step {
            GroupStep::Send => {
                group.step = GroupStep::Lock;
                self.after_ms(self.fleet.round_trip_ms, who);
            }
            GroupStep::Lock => {
                group.step = GroupStep::Read;
                if self.rows.take(self.now, root, number) {
                    self.group_goes_on(number);
                }
            }
            GroupStep::Read => {
                group.step = GroupStep::Between;
                self.compute(self.database(), who, fixed);
            }
            GroupStep::Between => {
                group.step = GroupStep::Write;
                self.after_ms(self.fleet.round_trip_ms, who);
            }
            GroupStep::Write => {
                group.step = GroupStep::Sync;
                let ms = fixed + group.database_ms;
                self.compute(self.database(), who, ms);
            }
            GroupStep::Sync => {
                group.step = GroupStep::Replicate;
                let bytes = group.bytes;
                self.log.add(number, bytes);
                self.sync();
            }
            GroupStep::Replicate => {
                group.step = GroupStep::End;
                self.after_ms(self.fleet.replica_ms, who);
            }
            GroupStep::End => self.group_ends(number, false),
        }
    }

    fn group_ends(&mut self, number: usize, had_no_row: bool) {
        let Some(group) = self.groups.remove(number) else { return };
        if !had_no_row && let Some(next) = self.rows.give(self.now, group.root) {
            self.group_goes_on(next);
        }
        if self.lives(group.node, group.life) {
            let now = self.now;
            if let Some(next) = self.nodes.get_mut(group.node).and_then(|node| node.writers.give(now)) {
                self.group_goes_on(next);
            }
            if let Some(gathering) = self.gathering.get_mut(&(group.node, group.root)) {
                gathering.under_way = false;
            }
            self.gather((group.node, group.root));
        }
        for job in group.jobs {
            self.job_goes_on(job);
        }
    }
}
