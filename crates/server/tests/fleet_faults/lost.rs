//! Fail-over to a standby that lacks the last writes: who has seen them starts anew.

use std::time::Duration;

use cluster::{Replication, or_skip};
use testkit::{
    ews::{Ews, ItemAsk, distinguished},
    http::Http,
    lists::{ListAsk, Lists, number},
};

use crate::{PASSWORD, alone, names, stage::Stage};

const LIST: &str = "Rows";
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn tokens_of_a_lost_timeline_are_refused() {
    let _alone = alone();
    let (accounts, sites) = names();
    let stage = Stage::replicated(Replication::Asynchronous, &accounts[..1], &sites[..1]);
    let Some(mut stage) = or_skip(stage, "tokens_of_a_lost_timeline_are_refused") else { return };
    let http = Http::new(stage.balancer.address()).login(&accounts[0], PASSWORD).patient(PATIENCE);
    let (ews, lists) = (Ews::new(http.clone()), Lists::new(http, &sites[0]));
    let inbox = distinguished("inbox");
    let sync = |state: Option<&str>| {
        ews.sync_items(&ItemAsk { folder: &inbox, state, ignore: &[], changes_max: 100, associated: false })
    };
    let changes = |token: Option<&str>| lists.changes(&ListAsk { list: LIST, token, ..ListAsk::default() });
    lists.add(LIST, 100);
    ews.create_message(&inbox, "kept");
    lists.create(LIST, &[("Title", "kept")]);
    let (state_kept, folders_kept) = (sync(None).unwrap().state, ews.sync_folders(None, None).unwrap().state);
    let token_kept = changes(None).token;
    // The standby has all of it, and nothing of what follows.
    stage.standby().catch_up(stage.primary()).unwrap();
    stage.standby().disconnect_from_primary().unwrap();
    for _ in 0..3 {
        ews.create_message(&inbox, "lost");
        lists.create(LIST, &[("Title", "lost")]);
    }
    ews.create_folder(&inbox, "lost").unwrap();
    let lost = sync(Some(&state_kept)).unwrap();
    assert_eq!(lost.entries.len(), 3);
    let (state_lost, folders_lost) = (lost.state, ews.sync_folders(None, None).unwrap().state);
    let token_lost = changes(Some(&token_kept)).token;

    stage.fail_over(Replication::Asynchronous).unwrap();
    stage.recover().unwrap();
    let refused = || {
        // By every node, which the balancer takes in turn.
        for _ in &stage.nodes {
            assert_eq!(sync(Some(&state_lost)), Err("ErrorInvalidSyncStateData".to_owned()));
            let hierarchy = ews.sync_folders(None, Some(&folders_lost)).map(|page| page.entries);
            assert_eq!(hierarchy, Err("ErrorInvalidSyncStateData".to_owned()));
            assert_eq!(changes(Some(&token_lost)).ids, [("InvalidToken".to_owned(), None)]);
        }
    };
    refused();
    // The new timeline goes on past the positions that were lost.
    for _ in 0..6 {
        ews.create_message(&inbox, "new");
        lists.create(LIST, &[("Title", "new")]);
    }
    ews.create_folder(&inbox, "new").unwrap();
    refused();
    // What was given before goes on; who starts anew gets what there is.
    for _ in &stage.nodes {
        assert_eq!(sync(Some(&state_kept)).unwrap().entries.len(), 6);
        assert_eq!(ews.sync_folders(None, Some(&folders_kept)).unwrap().entries.len(), 1);
        let rows = changes(Some(&token_kept)).rows;
        assert_eq!(rows.iter().map(number).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
        assert_eq!(sync(None).unwrap().entries.len(), 7);
        assert_eq!(changes(None).rows.len(), 7);
    }
}
