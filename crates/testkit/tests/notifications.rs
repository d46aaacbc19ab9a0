//! Notifications over HTTP: streams that hang, servers that share a store, and clients that synchronise what they are
//! told of.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use testkit::{
    chance::Chance,
    ews::{Ews, ItemAsk, code, distinguished, folder_id, responses},
    hanging::{Hanging, PATIENCE, get_streaming_events},
    mirror::{ItemMirror, assert_equal},
    server::{ANNA, BERT, STORES, StoreKind, TestServer},
    tree::Reach,
};

use model::Time;

const KINDS: &str = "<t:EventTypes><t:EventType>CopiedEvent</t:EventType><t:EventType>CreatedEvent</t:EventType>\
    <t:EventType>DeletedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent</t:EventType>\
    <t:EventType>NewMailEvent</t:EventType></t:EventTypes>";

fn subscribe(ews: &Ews, kind: &str, folder: Option<&str>, rest: &str) -> (String, Option<String>) {
    let (all, folders) = match folder {
        None => (" SubscribeToAllFolders=\"true\"", String::new()),
        Some(folder) => ("", format!("<t:FolderIds>{folder}</t:FolderIds>")),
    };
    let answer = ews.attempt(&format!("<m:Subscribe><m:{kind}{all}>{folders}{KINDS}{rest}</m:{kind}></m:Subscribe>"));
    let answer = answer.unwrap();
    let message = responses(&answer)[0];
    (message.value("SubscriptionId").unwrap(), message.value("Watermark"))
}

fn stream(ews: &Ews, folder: Option<&str>) -> String {
    subscribe(ews, "StreamingSubscriptionRequest", folder, "").0
}

fn pull(ews: &Ews, folder: Option<&str>) -> (String, String) {
    let (id, watermark) = subscribe(ews, "PullSubscriptionRequest", folder, "<t:Timeout>5</t:Timeout>");
    (id, watermark.unwrap())
}

fn get_events(ews: &Ews, id: &str, watermark: &str) -> Result<testkit::tree::Tree, String> {
    ews.attempt(&format!(
        "<m:GetEvents><m:SubscriptionId>{id}</m:SubscriptionId><m:Watermark>{watermark}</m:Watermark></m:GetEvents>"
    ))
}

fn unsubscribe(ews: &Ews, id: &str) -> Result<(), String> {
    ews.attempt(&format!("<m:Unsubscribe><m:SubscriptionId>{id}</m:SubscriptionId></m:Unsubscribe>")).map(drop)
}

/// The kinds of events in an answer to GetEvents.
fn kinds(answer: &testkit::tree::Tree) -> Vec<String> {
    let names = responses(answer)[0].at("Notification").names();
    names.into_iter().skip(3).map(ToOwned::to_owned).collect()
}

/// Streams hear at once, and take no turn from others: here there is one.
#[test]
fn streams_hang_beside_the_turns_of_requests() {
    let settings = "requests_max = 1\nrequests_waiting_max = 8\nhanging_keep_alive_seconds = 1";
    let server = TestServer::configured(StoreKind::Memory, Time::from_date(2026, 1, 1), settings);
    let (ews, inbox) = (server.ews(ANNA), distinguished("inbox"));
    let id = stream(&ews, Some(&inbox));
    let mut hanging: Vec<Hanging> = (0..8).map(|_| Hanging::ask(&ews, &[&id])).collect();
    for one in &mut hanging {
        assert_eq!(one.hear(PATIENCE).unwrap(), "OK");
    }
    ews.create_message(&inbox, "new");
    for one in &mut hanging {
        // A beat may come first.
        let heard = (0..5).map(|_| one.hear(PATIENCE).unwrap()).find(|heard| heard != "OK");
        assert_eq!(heard.unwrap(), "CreatedEvent ModifiedEvent");
        assert_eq!(one.hear(PATIENCE).unwrap(), "OK");
    }
    // The clients go; their places are free, and what they have heard is not told again.
    drop(hanging);
    let until = Instant::now() + PATIENCE;
    loop {
        let mut one = Hanging::ask(&ews, &[&id]);
        assert_eq!(one.hear(PATIENCE).unwrap(), "OK");
        if one.hear(PATIENCE).unwrap() == "OK" {
            break;
        }
        assert!(Instant::now() < until);
    }
}

/// What a client has heard before it closed the connection is not told again: exchangelib 5 reads one event and goes.
#[test]
fn a_client_that_goes_after_each_event_hears_each_once() {
    let settings = "hanging_requests_per_account_max = 1";
    let server = TestServer::configured(StoreKind::Sqlite, Time::from_date(2026, 1, 1), settings);
    let (ews, inbox) = (server.ews(ANNA), distinguished("inbox"));
    let id = stream(&ews, Some(&inbox));
    let item = ews.create_message(&inbox, "a");
    let hear = |expected: &str| {
        // There is one place: the one before has kept what it has to when it is free.
        let until = Instant::now() + PATIENCE;
        let mut hanging = loop {
            if let Some(hanging) = Hanging::try_ask(&ews, &[&id]) {
                break hanging;
            }
            assert!(Instant::now() < until);
            thread::park_timeout(Duration::from_millis(10));
        };
        assert_eq!(hanging.hear(PATIENCE).unwrap(), "OK");
        assert_eq!(hanging.hear(PATIENCE).unwrap(), expected);
    };
    hear("CreatedEvent ModifiedEvent");
    ews.set_subject(&item, "b").unwrap();
    hear("ModifiedEvent ModifiedEvent");
    ews.delete(&item, "HardDelete").unwrap();
    hear("DeletedEvent ModifiedEvent");
}

#[test]
fn hanging_requests_are_bounded_in_all_and_by_account() {
    let settings = "hanging_requests_max = 3\nhanging_requests_per_account_max = 2";
    let server = TestServer::configured(StoreKind::Memory, Time::from_date(2026, 1, 1), settings);
    let [anna, bert] = [ANNA, BERT].map(|who| server.ews(who));
    let [annas, berts] = [&anna, &bert].map(|ews| stream(ews, None));
    let refused = |ews: &Ews, id: &str| code(&ews.call(&get_streaming_events(&[id], 1)));
    let mut held: Vec<Hanging> = (0..2).map(|_| Hanging::ask(&anna, &[&annas])).collect();
    assert_eq!(refused(&anna, &annas), "ErrorExceededConnectionCount");
    let _third = Hanging::ask(&bert, &[&berts]);
    assert_eq!(refused(&bert, &berts), "ErrorExceededConnectionCount");
    // The subscription of another.
    held.pop();
    let until = Instant::now() + PATIENCE;
    loop {
        let code = refused(&bert, &annas);
        if code == "ErrorSubscriptionAccessDenied" {
            break;
        }
        assert!(code == "ErrorExceededConnectionCount" && Instant::now() < until, "{code}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// A server that stops says so to those who hang, and is not held up by them.
#[test]
fn a_server_that_stops_closes_its_streams() {
    let server = TestServer::sqlite();
    let ews = server.ews(ANNA);
    let id = stream(&ews, None);
    let mut hanging = Hanging::ask(&ews, &[&id]);
    assert_eq!(hanging.hear(PATIENCE).unwrap(), "OK");
    let stopping = Instant::now();
    let stop = thread::spawn(move || server.stop());
    assert_eq!(hanging.hear(PATIENCE).unwrap(), "Closed");
    assert!(hanging.is_over());
    let folder = stop.join().unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(10));
    // Subscriptions outlive it.
    let server = TestServer::reopen(folder, 1);
    let ews = server.ews(ANNA);
    ews.create_message(&distinguished("drafts"), "later");
    let mut hanging = Hanging::ask(&ews, &[&id]);
    assert_eq!(hanging.hear(PATIENCE).unwrap(), "OK");
    assert_eq!(hanging.hear(PATIENCE).unwrap(), "CreatedEvent ModifiedEvent");
}

/// Any of several servers over one store answers for any subscription, and hears what happens at the others.
#[test]
fn servers_over_one_store_are_as_one() {
    let first = TestServer::sqlite();
    let second = first.beside(7);
    let [here, there] = [&first, &second].map(|server| server.ews(ANNA));
    let inbox = distinguished("inbox");
    let (streaming, (pulled, watermark)) = (stream(&here, Some(&inbox)), pull(&here, Some(&inbox)));
    let mut hanging = [Hanging::ask(&there, &[&streaming]), Hanging::ask(&here, &[&streaming])];
    for one in &mut hanging {
        assert_eq!(one.hear(PATIENCE).unwrap(), "OK");
    }
    here.create_message(&inbox, "made at the first");
    for one in &mut hanging {
        assert_eq!(one.hear(PATIENCE).unwrap(), "CreatedEvent ModifiedEvent");
    }
    there.create_message(&inbox, "made at the second");
    for one in &mut hanging {
        assert_eq!(one.hear(PATIENCE).unwrap(), "CreatedEvent ModifiedEvent");
    }
    let answer = get_events(&there, &pulled, &watermark).unwrap();
    assert_eq!(kinds(&answer), ["CreatedEvent", "CreatedEvent", "ModifiedEvent"]);
    unsubscribe(&there, &pulled).unwrap();
    assert_eq!(get_events(&here, &pulled, &watermark).unwrap_err(), "ErrorSubscriptionNotFound");
    assert_eq!(unsubscribe(&here, &pulled).unwrap_err(), "ErrorSubscriptionNotFound");
    unsubscribe(&here, &streaming).unwrap();
    assert_eq!(code(&there.call(&get_streaming_events(&[&streaming], 1))), "ErrorSubscriptionNotFound");
}

/// Every node of a fleet hears what happens at any, answers for any subscription, and goes on where another ended.
#[test]
fn nodes_of_a_fleet_are_as_one() {
    if !StoreKind::Fleet.is_there("nodes_of_a_fleet_are_as_one") {
        return;
    }
    let server = TestServer::start(StoreKind::Fleet);
    let (ews, nodes, inbox) = (server.ews(ANNA), server.ews_of_nodes(ANNA), distinguished("inbox"));
    let ids: Vec<String> = nodes.iter().map(|_| stream(&ews, Some(&inbox))).collect();
    let (pulled, watermark) = pull(&ews, Some(&inbox));
    let mut hanging: Vec<Hanging> = nodes.iter().zip(&ids).map(|(node, id)| Hanging::ask(node, &[id])).collect();
    for one in &mut hanging {
        assert_eq!(one.hear(PATIENCE).unwrap(), "OK");
    }
    for node in &nodes {
        node.create_message(&inbox, "made here");
        for one in &mut hanging {
            assert_eq!(one.hear(PATIENCE).unwrap(), "CreatedEvent ModifiedEvent");
        }
    }
    for node in &nodes {
        assert_eq!(kinds(&get_events(node, &pulled, &watermark).unwrap()).len(), nodes.len() + 1);
    }
    unsubscribe(&nodes[0], &pulled).unwrap();
    for node in &nodes {
        assert_eq!(get_events(node, &pulled, &watermark).unwrap_err(), "ErrorSubscriptionNotFound");
    }
}

/// A client that takes events for hints, and synchronises the folders that they name and no others, ends with what is
/// there.
#[test]
fn what_is_told_is_enough_to_converge() {
    let test = "what_is_told_is_enough_to_converge";
    for kind in STORES.into_iter().chain(Some(StoreKind::Fleet).filter(|kind| kind.is_there(test))) {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let folders: Vec<String> = (0..3)
            .map(|number| ews.create_folder(&distinguished("inbox"), &format!("folder {number}")).unwrap())
            .chain([ews.folder(&distinguished("deleteditems"))])
            .collect();
        let mut mirrors: BTreeMap<String, ItemMirror> =
            folders.iter().map(|folder| (folder.clone(), ItemMirror::default())).collect();
        let sync = |folder: &str, mirror: &mut ItemMirror| {
            loop {
                let (folder, state) = (folder_id(folder), mirror.state.clone());
                let ask = ItemAsk {
                    folder: &folder,
                    state: state.as_deref(),
                    ignore: &[],
                    changes_max: 50,
                    associated: false,
                };
                mirror.apply(ews.sync_items(&ask).unwrap(), 50);
                if !mirror.draining {
                    return;
                }
            }
        };
        mirrors.iter_mut().for_each(|(folder, mirror)| sync(folder, mirror));
        let (id, mut watermark) = pull(&ews, None);
        let chance = Chance::new(11);
        let mut items: Vec<(String, usize)> = Vec::new();
        for turn in 0..25 {
            for _ in 0..chance.below(7) {
                let to = chance.below(3);
                let target = folder_id(&folders[to]);
                let at = chance.below(items.len().max(1));
                match (chance.below(8), items.is_empty()) {
                    (0..=2, _) | (_, true) => items.push((ews.create_message(&target, &chance.word()), to)),
                    (3, _) => drop(ews.set_read(&items[at].0, chance.one_in(2)).unwrap()),
                    (4, _) => drop(ews.set_subject(&items[at].0, &chance.word()).unwrap()),
                    (5, _) => items[at] = (ews.transfer("MoveItem", &items[at].0, &target).unwrap(), to),
                    (6, _) => items.push((ews.transfer("CopyItem", &items[at].0, &target).unwrap(), to)),
                    _ => {
                        let mode = ["HardDelete", "MoveToDeletedItems"][chance.below(2)];
                        drop(ews.delete(&items.swap_remove(at).0, mode).unwrap());
                    }
                }
            }
            if chance.one_in(3) {
                continue;
            }
            let mut hinted = BTreeSet::new();
            loop {
                let answer = get_events(&ews, &id, &watermark).unwrap();
                let notification = responses(&answer)[0].at("Notification");
                for event in notification.children().skip(3) {
                    // The folder where something is, and the one where it was; not what is beside it.
                    for name in ["ParentFolderId", "OldParentFolderId"] {
                        let item = event.find("ItemId").is_some();
                        let folder = event.find(name).filter(|_| item);
                        hinted.extend(folder.and_then(|folder| folder.attribute("Id")).map(ToOwned::to_owned));
                    }
                    watermark = event.value("Watermark").unwrap();
                }
                if notification.value("MoreEvents").unwrap() == "false" {
                    break;
                }
            }
            for folder in &hinted {
                if let Some(mirror) = mirrors.get_mut(folder) {
                    sync(folder, mirror);
                }
            }
            for (folder, mirror) in &mirrors {
                let read = ews.read_items(&folder_id(folder), "Shallow");
                assert_equal(&mirror.items, &read, &format!("{kind:?}, turn {turn}"));
            }
        }
    }
}
