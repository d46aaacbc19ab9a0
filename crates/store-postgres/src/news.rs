//! Telling who waits that a root has moved: on this node at once, on others by NOTIFY soon after.
//!
//! PostgreSQL lets transactions that notify commit one after the other, each with its wait for the medium, whatever they
//! wrote (`PreCommit_Notify` takes a lock of the whole cluster). So the writing transactions do not notify: one task does
//! for all that was written meanwhile, in a transaction of its own that nobody waits for. What gets lost when the node
//! ends in between is found by those who look at the rows now and then; see [`crate::wake`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{RootId, Seq};
use store::Waiters;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{sleep, timeout},
};

use crate::{
    session::Sessions,
    wake::{NOTIFY, payload, payload_of_gone},
};

/// News that wait to be told to other nodes. What is more is not told.
const NEWS_MAX: usize = 4_096;
/// How long news wait for more of them.
const PAUSE: Duration = Duration::from_millis(5);
/// How long telling them may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A root, and where it stands; `None` where it is gone.
type News = (RootId, Option<Seq>);

/// The way of news to those who wait.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    waiters: Waiters,
    /// `None` where other nodes look for themselves.
    others: Option<Sender<News>>,
}

impl Moved {
    /// Tells also other nodes, by sessions of `sessions`, where there are any. The task ends with the last clone of this.
    pub(crate) fn new(waiters: Waiters, others: Option<&Arc<Sessions>>) -> Self {
        let others = others.map(|sessions| {
            let (sender, news) = channel(NEWS_MAX);
            let task = tell(Arc::clone(sessions), news);
            sessions.background().spawn(task);
            sender
        });
        Self { waiters, others }
    }

    /// A root stands at this position.
    pub(crate) fn moved(&self, root: RootId, last_seq: Seq) {
        self.waiters.moved(root, last_seq);
        self.pass_on((root, Some(last_seq)));
    }

    /// A root was removed.
    pub(crate) fn gone(&self, root: RootId) {
        self.waiters.gone(root);
        self.pass_on((root, None));
    }

    fn pass_on(&self, news: News) {
        if let Some(others) = &self.others {
            // Where there are too many, the rows of the roots say it a little later.
            let _ = others.try_send(news);
        }
    }
}

async fn tell(sessions: Arc<Sessions>, mut news: Receiver<News>) {
    while let Some((root, seq)) = news.recv().await {
        sleep(PAUSE).await;
        let mut latest = BTreeMap::from([(root, seq)]);
        for _ in 0..NEWS_MAX {
            let Ok((root, seq)) = news.try_recv() else { break };
            latest.insert(root, seq);
        }
        let payloads: Vec<String> = latest
            .into_iter()
            .map(|(root, seq)| seq.map_or_else(|| payload_of_gone(root), |seq| payload(root, seq)))
            .collect();
        let Ok(session) = sessions.take(PATIENCE).await else { continue };
        if !matches!(timeout(PATIENCE, session.rows(NOTIFY, &[&payloads])).await, Ok(Ok(_))) {
            session.condemn();
        }
    }
}
