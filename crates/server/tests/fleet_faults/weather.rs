//! What happens to a fleet, at random.

use std::time::{Duration, Instant};

use cluster::{Replication, Result, process::Signal};
use testkit::chance::Chance;

use crate::stage::Stage;

/// Faults, one after another.
pub(crate) struct Weather<'s> {
    pub(crate) stage: &'s mut Stage,
    pub(crate) chance: &'s Chance,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NodeKilled,
    NodeRolled,
    NodeStands,
    RequestsCut,
    SessionsEnded,
    DatabaseRestarted,
    DatabaseKilled,
    FailedOver,
}

/// Those of a fleet; those of a node alone come first. What is worse comes less often.
const FAULTS: &[Fault] = &[
    Fault::NodeKilled,
    Fault::NodeKilled,
    Fault::NodeRolled,
    Fault::NodeStands,
    Fault::RequestsCut,
    Fault::SessionsEnded,
    Fault::SessionsEnded,
    Fault::DatabaseRestarted,
    Fault::DatabaseKilled,
    Fault::FailedOver,
];
/// How many of [`FAULTS`] concern nodes and balancer.
const OF_NODES: usize = 5;

impl Weather<'_> {
    /// Lets faults happen for so long, and while the clients play.
    pub(crate) fn rage(mut self, time: Duration, plays: impl Fn() -> bool) -> Result<()> {
        let begin = Instant::now();
        let mut next = self.chance.below(FAULTS.len());
        while begin.elapsed() < time && plays() {
            let kinds = if self.stage.is_replicated() { FAULTS.len() } else { OF_NODES };
            // In turn from a random place, but now and then out of turn: a short run shows all of them.
            let fault = FAULTS[if self.chance.one_in(3) { self.chance.below(kinds) } else { next % kinds }];
            next += 1;
            println!("{:7.2} s  {fault:?}", begin.elapsed().as_secs_f32());
            self.happen(fault)?;
            println!("{:7.2} s  over", begin.elapsed().as_secs_f32());
            self.pause(500 + self.chance.below(1_500));
        }
        Ok(())
    }

    fn pause(&self, milliseconds: usize) {
        std::thread::park_timeout(Duration::from_millis(milliseconds as u64));
    }

    fn happen(&mut self, fault: Fault) -> Result<()> {
        let node = self.chance.below(self.stage.nodes.len());
        match fault {
            Fault::NodeKilled => {
                self.stage.nodes[node].kill()?;
                self.pause(self.chance.below(1_000));
                self.start(node)
            }
            Fault::NodeRolled => {
                let code = self.stage.nodes[node].terminate()?;
                assert_eq!(code, 0, "a node that was asked to end:\n{}", self.stage.nodes[node].log());
                self.start(node)
            }
            Fault::NodeStands => {
                self.stage.nodes[node].signal(Signal::Stop);
                self.pause(500 + self.chance.below(3_000));
                self.stage.nodes[node].signal(Signal::Continue);
                Ok(())
            }
            Fault::RequestsCut => self.stage.balancer.cut(),
            Fault::SessionsEnded => {
                for _ in 0..1 + self.chance.below(4) {
                    self.stage.primary().terminate_backends()?;
                    self.pause(self.chance.below(200));
                }
                Ok(())
            }
            Fault::DatabaseRestarted => self.stage.primary().restart(),
            Fault::DatabaseKilled => {
                self.stage.primary().kill()?;
                self.pause(self.chance.below(1_500));
                self.stage.primary().restart()
            }
            Fault::FailedOver => self.stage.fail_over(Replication::Synchronous),
        }
    }

    /// The next fault need not wait until the node listens; but the node is started again before it can be killed.
    fn start(&mut self, node: usize) -> Result<()> {
        self.stage.nodes[node].start_again()
    }
}
