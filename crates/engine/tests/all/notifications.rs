//! Subscriptions, watermarks, and the events between two of them.

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    Caller, Change, Channel, DeleteMode, EngineError, EventKind, EventKinds, EventPage, FolderRights, Grantee,
    ItemSyncChange, Mailbox, MailboxName, PERMISSIONS, Permission, Permissions, Place, Precondition, Sending,
    Subscription, SubscriptionError, Watch,
};
use model::{Bag, CollectionId, ItemFlags, ItemId, Seq, Value, tags};
use store::Store as _;

use crate::{World, account, add, ask, folder_named, message, new_folder, now};

const PULL: Channel = Channel::Pull { idle_minutes: 10 };

fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Copied => "copied",
        EventKind::Created => "created",
        EventKind::Deleted => "deleted",
        EventKind::Modified => "modified",
        EventKind::Moved => "moved",
        EventKind::NewMail => "mail",
        EventKind::FreeBusyChanged => "busy",
    }
}

/// Ids as letters in the order in which a test has met them, so that expectations can be written down.
#[derive(Default)]
struct Names(BTreeMap<u64, String>);

impl Names {
    fn give(&mut self, id: u64, name: &str) -> u64 {
        self.0.insert(id, name.to_owned());
        id
    }

    fn of(&self, id: u64) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn shape(&self, page: &EventPage) -> String {
        let one = |event: &engine::Event| match &event.change {
            Change::Item { item, folder, old, .. } => {
                let old = old.map(|(folder, item)| format!("<{}/{}", self.of(folder.0), self.of(item.0)));
                format!("{} {}/{}{}", kind(event.kind), self.of(folder.0), self.of(item.0), old.unwrap_or_default())
            }
            Change::Folder { folder, parent, old_parent, unread, .. } => {
                let old = old_parent.map(|old| format!("<{}/", self.of(old.0))).unwrap_or_default();
                let unread = unread.map(|unread| format!("={unread}")).unwrap_or_default();
                format!("{} {}/{}/{old}{unread}", kind(event.kind), self.of(parent.0), self.of(folder.0))
            }
        };
        page.events.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn subscribed(mailbox: &Mailbox, folders: &[CollectionId], channel: Channel) -> (Subscription, Place) {
    let watch = Watch { folders: folders.to_vec(), kinds: EventKinds::ALL };
    let made = now(mailbox.subscribe(watch, channel, None, mailbox.caller())).unwrap();
    let caller = mailbox.caller();
    let subscription = now(mailbox.engine().subscription(caller, caller, &made.id)).unwrap();
    let place = subscription.place_of(&made.watermark).unwrap();
    (subscription, place)
}

/// The items of a folder, oldest first.
fn listed(mailbox: &Mailbox, folder: CollectionId) -> Vec<ItemId> {
    let page = now(mailbox.sync_items(ask(folder, None))).unwrap();
    let item = |change: &ItemSyncChange| match change {
        ItemSyncChange::Create(row) => row.item,
        ItemSyncChange::Update(_) | ItemSyncChange::ReadFlag { .. } | ItemSyncChange::Delete(_) => panic!("{change:?}"),
    };
    page.changes.iter().rev().map(item).collect()
}

fn hard(mailbox: &Mailbox, item: ItemId) {
    now(mailbox.delete_item(item, Precondition::Any, DeleteMode::Hard)).unwrap();
}

/// Every kind of change, as one who watches a folder and as one who watches all hears of it.
#[test]
fn every_change_has_its_events() {
    let world = World::new(1);
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    let mailbox = world.mailbox();
    let theirs = now(world.engine.open_mailbox(&bob, MailboxName::Own)).unwrap();
    let mut names = Names::default();
    let top = folder_named(&mailbox, "msgfolderroot");
    let [inbox, drafts, calendar, bin, dumpster] =
        ["inbox", "drafts", "calendar", "deleteditems", "recoverableitemsdeletions"]
            .map(|name| folder_named(&mailbox, name));
    for (id, name) in [(top, "top"), (inbox, "I"), (drafts, "D"), (calendar, "C"), (bin, "B"), (dumpster, "R")] {
        names.give(id.0, name);
    }
    names.give(folder_named(&mailbox, "recoverableitemsroot").0, "rr");
    let mut both = [subscribed(&mailbox, &[inbox], PULL), subscribed(&mailbox, &[], PULL)];
    let mut hear = |names: &Names, one: &str, all: &str| {
        let heard = both.each_mut().map(|(subscription, place)| {
            let page = now(subscription.events(place, 50)).unwrap();
            assert!(!page.more);
            *place = page.place;
            names.shape(&page)
        });
        assert_eq!(heard, [one, all]);
    };
    hear(&names, "", "");
    let a = add(&mailbox, inbox, "a").item;
    names.give(a.0, "a");
    hear(&names, "created I/a, modified top/I/=1", "created I/a, modified top/I/=1");
    now(mailbox.set_read(a, true)).unwrap();
    hear(&names, "modified I/a, modified top/I/=0", "modified I/a, modified top/I/=0");
    now(mailbox.update_item(a, Precondition::Any, &|draft| {
        draft.bag.set(tags::SUBJECT, Value::text("b"));
    }))
    .unwrap();
    hear(&names, "modified I/a, modified top/I/=0", "modified I/a, modified top/I/=0");
    let copy = now(mailbox.copy_item(a, drafts)).unwrap().item;
    names.give(copy.0, "c");
    hear(&names, "", "copied D/c<I/a, modified top/D/=0");
    let moved = now(mailbox.move_item(copy, Precondition::Any, inbox)).unwrap().item;
    names.give(moved.0, "m");
    hear(&names, "moved I/m<D/c, modified top/I/=0", "modified top/D/=0, moved I/m<D/c, modified top/I/=0");
    let away = now(mailbox.move_item(moved, Precondition::Any, drafts)).unwrap().item;
    names.give(away.0, "w");
    hear(&names, "moved D/w<I/m, modified top/I/=0", "modified top/I/=0, moved D/w<I/m, modified top/D/=0");
    hard(&mailbox, away);
    hear(&names, "", "deleted D/w, modified top/D/=0");
    let binned = now(mailbox.delete_item(a, Precondition::Any, DeleteMode::MoveToDeletedItems)).unwrap().unwrap().item;
    names.give(binned.0, "b");
    hear(&names, "moved B/b<I/a, modified top/I/=0", "modified top/I/=0, moved B/b<I/a, modified top/B/=0");
    let soft = now(mailbox.delete_item(binned, Precondition::Any, DeleteMode::Soft)).unwrap().unwrap().item;
    names.give(soft.0, "s");
    hear(&names, "", "modified top/B/=0, moved R/s<B/b, modified rr/R/=0");

    // Mail, from another and from oneself.
    let sending = |to: &Caller| vec![Sending { message: message("x"), to: vec![to.clone()] }];
    now(theirs.act(Vec::new(), sending(&world.caller))).unwrap();
    let mail = listed(&mailbox, inbox).pop().unwrap();
    names.give(mail.0, "n");
    let arrived = "created I/n, mail I/n, modified top/I/=1";
    hear(&names, arrived, arrived);
    now(mailbox.act(Vec::new(), sending(&world.caller))).unwrap();
    let mail = listed(&mailbox, inbox).pop().unwrap();
    names.give(mail.0, "o");
    let arrived = "created I/o, mail I/o, modified top/I/=2";
    hear(&names, arrived, arrived);
    // Mail that is moved out and in again does not arrive again, nor does its copy.
    let copy = now(mailbox.copy_item(mail, inbox)).unwrap().item;
    names.give(copy.0, "p");
    hear(&names, "copied I/p<I/o, modified top/I/=3", "copied I/p<I/o, modified top/I/=3");

    // What happened to an item since is one event; what came and went is none.
    let brief = add(&mailbox, inbox, "brief").item;
    now(mailbox.set_read(brief, true)).unwrap();
    hard(&mailbox, brief);
    let kept = add(&mailbox, inbox, "kept").item;
    names.give(kept.0, "k");
    now(mailbox.set_read(kept, true)).unwrap();
    hear(&names, "created I/k, modified top/I/=3", "created I/k, modified top/I/=3");
    let hop = now(mailbox.move_item(kept, Precondition::Any, drafts)).unwrap().item;
    hard(&mailbox, hop);
    names.give(hop.0, "h");
    hear(
        &names,
        "moved D/h<I/k, modified top/I/=3",
        "moved D/h<I/k, modified top/I/=3, deleted D/h, modified top/D/=0",
    );

    // Associated items are not told of, but as a change of what is in the folder.
    let hidden = now(mailbox.create_item(inbox, message("hidden"), ItemFlags::ASSOCIATED)).unwrap().item;
    hear(&names, "modified top/I/=3", "modified top/I/=3");
    hard(&mailbox, hidden);
    hear(&names, "modified top/I/=3", "modified top/I/=3");

    // Appointments.
    let bag = Bag::from_iter([(tags::MESSAGE_CLASS, Value::text("IPM.Appointment"))]);
    let content = model::ItemContent { bag, ..model::ItemContent::default() };
    let meeting = now(mailbox.create_item(calendar, content, ItemFlags::READ)).unwrap().item;
    names.give(meeting.0, "t");
    hear(&names, "", "created C/t, busy C/t, modified top/C/=0");
    now(mailbox.set_read(meeting, false)).unwrap();
    hear(&names, "", "modified C/t, modified top/C/=1");
    hard(&mailbox, meeting);
    hear(&names, "", "deleted C/t, busy C/t, modified top/C/=0");

    // Folders.
    let [inner, outer] = [(inbox, "inner"), (top, "outer")].map(|(parent, name)| new_folder(&mailbox, parent, name));
    names.give(inner.0, "inner");
    names.give(outer.0, "outer");
    hear(&names, "created I/inner/", "created I/inner/, created top/outer/");
    now(mailbox.update_folder(inner, &|bag| bag.set(tags::DISPLAY_NAME, Value::text("renamed")))).unwrap();
    let x = add(&mailbox, inner, "x").item;
    names.give(x.0, "x");
    hear(&names, "modified I/inner/=1", "created inner/x, modified I/inner/=1");
    now(mailbox.move_folder(inner, outer)).unwrap();
    hear(&names, "moved outer/inner/<I/", "moved outer/inner/<I/");
    now(mailbox.move_folder(outer, inbox)).unwrap();
    hear(&names, "moved I/outer/<top/", "moved I/outer/<top/");
    now(mailbox.delete_folder(inner, DeleteMode::Hard)).unwrap();
    hear(&names, "", "deleted outer/inner/");
    now(mailbox.delete_folder(outer, DeleteMode::MoveToDeletedItems)).unwrap();
    hear(&names, "moved B/outer/<I/", "moved B/outer/<I/");
    let brief = new_folder(&mailbox, inbox, "brief");
    now(mailbox.delete_folder(brief, DeleteMode::Hard)).unwrap();
    hear(&names, "", "");

    // Many at once.
    now(mailbox.empty_folder(inbox, DeleteMode::MoveToDeletedItems, false)).unwrap();
    for (item, name) in listed(&mailbox, bin).iter().zip(["n2", "o2", "p2"]) {
        names.give(item.0, name);
    }
    hear(
        &names,
        "moved B/n2<I/n, moved B/o2<I/o, moved B/p2<I/p, modified top/I/=0",
        "moved B/n2<I/n, moved B/o2<I/o, modified top/I/=0, moved B/p2<I/p, modified top/B/=3",
    );
}

/// Only the kinds that were asked for come; times and classes come along.
#[test]
fn events_have_kinds_classes_and_times() {
    let world = World::new(2);
    let mailbox = world.mailbox();
    let [inbox, drafts] = ["inbox", "drafts"].map(|name| folder_named(&mailbox, name));
    let kinds = EventKinds::default().with(EventKind::Moved).with(EventKind::Deleted);
    let watch = Watch { folders: vec![drafts, inbox, drafts], kinds };
    let made = now(mailbox.subscribe(watch, PULL, None, mailbox.caller())).unwrap();
    let subscription = now(world.engine.subscription(&world.caller, &world.caller, &made.id)).unwrap();
    let mut place = subscription.place_of(&made.watermark).unwrap();
    let a = add(&mailbox, inbox, "a").item;
    let page = now(subscription.events(&place, 50)).unwrap();
    assert_eq!((page.events.len(), page.place.position()), (0, Seq(a.0)));
    world.clock.advance(60);
    let b = now(mailbox.move_item(a, Precondition::Any, drafts)).unwrap().item;
    world.clock.advance(60);
    place = page.place;
    let page = now(subscription.events(&place, 50)).unwrap();
    let [event] = &page.events[..] else { panic!("{:?}", page.events) };
    let old = Some((inbox, a));
    assert_eq!(event.change, Change::Item { item: b, class: None, folder: drafts, old });
    assert_eq!(event.at, model::Time::from_date(2026, 1, 1).plus_seconds(60));
    hard(&mailbox, b);
    let page = now(subscription.events(&page.place, 50)).unwrap();
    assert_eq!(page.events[0].kind, EventKind::Deleted);
    assert_eq!(page.events[0].at, world.engine.clock().now());
}

/// Events come in pages; whichever watermark a client goes on from, it hears of all.
#[test]
fn any_watermark_goes_on() {
    let world = World::new(3);
    let mailbox = world.mailbox();
    let [inbox, drafts] = ["inbox", "drafts"].map(|name| folder_named(&mailbox, name));
    let (subscription, start) = subscribed(&mailbox, &[], PULL);
    let mut items = BTreeSet::new();
    for number in 0..90 {
        items.insert(add(&mailbox, if number % 3 == 0 { drafts } else { inbox }, "x").item);
    }
    let item_of = |event: &engine::Event| match (&event.kind, &event.change) {
        (EventKind::Created, Change::Item { item, .. }) => Some(*item),
        _ => None,
    };
    // A client hears the first so many events, and goes on from the watermark of the last it has heard.
    for stop in 1..=22_usize {
        let page = now(subscription.events(&start, 20)).unwrap();
        assert!((20..=22).contains(&page.events.len()) && page.more);
        let mut heard_first = page.events.iter().take(stop);
        let mut heard: BTreeSet<ItemId> = heard_first.clone().filter_map(item_of).collect();
        let mut place = subscription.place_of(&heard_first.next_back().unwrap().watermark).unwrap();
        for _ in 0..10 {
            let page = now(subscription.events(&place, 20)).unwrap();
            heard.extend(page.events.iter().filter_map(item_of));
            place = page.place;
        }
        assert_eq!(heard, items, "{stop}");
    }
    // The last event of the last page stands at the end.
    let page = now(subscription.events(&start, 1_000)).unwrap();
    assert!(!page.more);
    let last = subscription.place_of(&page.events.last().unwrap().watermark).unwrap();
    assert_eq!(last, page.place);
    assert!(now(subscription.events(&last, 10)).unwrap().events.is_empty());
}

/// What is told while a client stands between two pages is told as what it is: nothing that was told goes without a word.
#[test]
fn changes_between_pages_are_not_lost() {
    let world = World::new(4);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let (subscription, start) = subscribed(&mailbox, &[inbox], PULL);
    let items: Vec<ItemId> = (0..6).map(|_| add(&mailbox, inbox, "x").item).collect();
    let page = now(subscription.events(&start, 3)).unwrap();
    assert_eq!((page.events.len(), page.more), (3, true));
    hard(&mailbox, items[0]);
    hard(&mailbox, items[5]);
    now(mailbox.set_read(items[4], true)).unwrap();
    let mut place = page.place;
    let mut rest = Vec::new();
    loop {
        let page = now(subscription.events(&place, 3)).unwrap();
        rest.extend(page.events.iter().filter_map(|event| match event.change {
            Change::Item { item, .. } => Some((event.kind, item)),
            Change::Folder { .. } => None,
        }));
        place = page.place;
        if !page.more {
            break;
        }
    }
    let expected = [(EventKind::Created, items[3]), (EventKind::Deleted, items[0]), (EventKind::Created, items[4])];
    assert_eq!(rest, expected);
}

#[test]
fn subscriptions_and_watermarks_are_refused_by_what_is_wrong() {
    let world = World::new(5);
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    let mailbox = world.mailbox();
    let theirs = now(world.engine.open_mailbox(&bob, MailboxName::Own)).unwrap();
    let inbox = folder_named(&mailbox, "inbox");
    let watch = || Watch { folders: vec![inbox], kinds: EventKinds::ALL };
    let made = now(mailbox.subscribe(watch(), PULL, None, mailbox.caller())).unwrap();
    let open =
        |caller: &Caller, sender: &Caller, id: &[u8]| now(world.engine.subscription(caller, sender, id)).map(drop);
    let ada = &world.caller;
    assert_eq!(open(ada, ada, &made.id), Ok(()));
    assert_eq!(open(ada, ada, &made.watermark), Err(SubscriptionError::Invalid));
    assert_eq!(open(ada, ada, b"AAA-"), Err(SubscriptionError::Invalid));
    assert_eq!(open(&bob, &bob, &made.id), Err(SubscriptionError::AccessDenied));
    // Who made it in the name of another uses it while the right to act so lasts.
    let other = now(mailbox.subscribe(watch(), PULL, None, &bob)).unwrap();
    assert_eq!(open(&bob, &bob, &other.id), Err(SubscriptionError::AccessDenied));
    now(world.engine.directory().set_impersonation("bob@example.com", true)).unwrap();
    assert_eq!(open(&bob, &bob, &other.id), Ok(()));

    let subscription = now(world.engine.subscription(ada, ada, &made.id)).unwrap();
    let foreign =
        now(theirs.subscribe(Watch { folders: Vec::new(), kinds: EventKinds::ALL }, PULL, None, theirs.caller()))
            .unwrap();
    for wrong in [&foreign.watermark[..], &made.id, b"x", b""] {
        assert_eq!(subscription.place_of(wrong), Err(SubscriptionError::Watermark));
        let from = now(mailbox.subscribe(watch(), PULL, Some(wrong), ada));
        assert_eq!(from, Err(SubscriptionError::Watermark));
    }
    let many = Watch { folders: (1..400).map(CollectionId).collect(), kinds: EventKinds::ALL };
    assert_eq!(now(mailbox.subscribe(many, PULL, None, ada)), Err(SubscriptionError::TooManyFolders));
    let gone = Watch { folders: vec![CollectionId(9_999)], kinds: EventKinds::ALL };
    let missing = Err(SubscriptionError::Engine(EngineError::NoCollection(CollectionId(9_999))));
    assert_eq!(now(mailbox.subscribe(gone, PULL, None, ada)), missing);

    // Another subscription goes on from a watermark of the first.
    add(&mailbox, inbox, "a");
    let next = now(mailbox.subscribe(watch(), PULL, Some(&made.watermark), ada)).unwrap();
    let next = (now(world.engine.subscription(ada, ada, &next.id)).unwrap(), next.watermark);
    let place = next.0.place_of(&next.1).unwrap();
    assert_eq!(now(next.0.events(&place, 9)).unwrap().events.len(), 2);

    // Ended, by whichever node.
    now(next.0.end()).unwrap();
    let again = now(world.engine.subscription(ada, ada, &made.id)).unwrap();
    now(again.end()).unwrap();
    let again = now(world.engine.subscription(ada, ada, &made.id)).unwrap();
    assert_eq!(now(again.events(&place, 9)), Err(SubscriptionError::NotFound));
    assert_eq!(now(again.end()), Err(SubscriptionError::NotFound));

    // Idle for too long, whatever the clocks of the nodes.
    let made = now(mailbox.subscribe(watch(), PULL, None, ada)).unwrap();
    let subscription = now(world.engine.subscription(ada, ada, &made.id)).unwrap();
    world.clock.advance(600 + 299);
    let place = subscription.place_of(&made.watermark).unwrap();
    let fresh = now(subscription.events(&place, 9)).unwrap().watermark;
    world.clock.advance(2);
    assert_eq!(subscription.place_of(&made.watermark), Err(SubscriptionError::Expired));
    subscription.place_of(&fresh).unwrap();
    world.clock.advance(7 * 86_400);
    assert_eq!(open(ada, ada, &made.id), Err(SubscriptionError::Expired));
    assert_eq!(now(subscription.events(&place, 9)), Err(SubscriptionError::Expired));
}

/// What is kept of subscriptions goes when they are over.
#[test]
fn notes_of_subscriptions_are_forgotten() {
    let world = World::new(6);
    let mailbox = world.mailbox();
    let notes = || {
        let mut view = now(world.store.snapshot(world.caller.account)).unwrap();
        [0x14, 0x15].map(|scope| now(view.names(scope, None, 100)).unwrap().rows.len())
    };
    let position = || now(mailbox.begin()).unwrap().position();
    let before = position();
    for _ in 0..3 {
        let (subscription, place) = subscribed(&mailbox, &[], Channel::Streaming);
        now(subscription.note_place(&place)).unwrap();
        assert_eq!(now(subscription.left_at()).unwrap().position(), place.position());
    }
    let (subscription, place) = subscribed(&mailbox, &[], Channel::Streaming);
    now(subscription.note_place(&place)).unwrap();
    assert_eq!(notes(), [0, 4]);
    now(subscription.end()).unwrap();
    assert_eq!(notes(), [1, 3]);
    now(world.engine.trim()).unwrap();
    assert_eq!(notes(), [1, 3]);
    world.clock.advance(7 * 86_400 + 301);
    now(world.engine.trim()).unwrap();
    assert_eq!(notes(), [0, 0]);
    // None of it is a change that anybody hears of.
    assert_eq!(position(), before);
}

/// Operators can ask what a token says, and whether it would be served.
#[test]
fn tokens_are_explained() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let world = World::new(11);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let watch = || Watch { folders: vec![inbox], kinds: EventKinds::ALL };
    let pull = now(mailbox.subscribe(watch(), PULL, None, mailbox.caller())).unwrap();
    let streaming = now(mailbox.subscribe(watch(), Channel::Streaming, None, mailbox.caller())).unwrap();
    let explained = |token: &[u8], label: &str| {
        let lines = now(world.engine.explain_token(&BASE64_STANDARD.encode(token))).lines;
        lines.into_iter().find(|(have, _)| have == label).map(|(_, value)| value).unwrap_or_default()
    };
    for (token, label, value) in [
        (&pull.id, "kind", "subscription to notifications".to_owned()),
        (&pull.id, "address", "ada@example.com".to_owned()),
        (&pull.id, "client", "asks, at least once in 10 minutes".to_owned()),
        (&streaming.id, "client", "leaves a request open".to_owned()),
        (&pull.id, "folders", inbox.to_string()),
        (&pull.id, "ends", "2026-01-08T00:00:00Z".to_owned()),
        (&pull.id, "served now", "yes".to_owned()),
        (&pull.watermark, "kind", "watermark of notifications".to_owned()),
        (&pull.watermark, "served now", "yes".to_owned()),
    ] {
        assert_eq!(explained(token, label), value, "{label}");
    }
    let subscription = now(world.engine.subscription(&world.caller, &world.caller, &pull.id)).unwrap();
    now(subscription.end()).unwrap();
    assert_eq!(explained(&pull.id, "served now"), "no: the token cannot be served: expired");
}

/// A stream goes on where the last one stood; what happened meanwhile comes with it.
#[test]
fn streams_go_on() {
    let world = World::new(7);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let (subscription, _) = subscribed(&mailbox, &[inbox], Channel::Streaming);
    add(&mailbox, inbox, "a");
    let count = |place: &Place| now(subscription.events(place, 50)).unwrap().events.len();
    let place = now(subscription.left_at()).unwrap();
    assert_eq!(count(&place), 2);
    // Not noted: it is told again.
    let page = now(subscription.events(&place, 50)).unwrap();
    assert_eq!(count(&now(subscription.left_at()).unwrap()), 2);
    now(subscription.note_place(&page.place)).unwrap();
    assert_eq!(count(&now(subscription.left_at()).unwrap()), 0);
    add(&mailbox, inbox, "b");
    add(&mailbox, inbox, "c");
    // Between two pages, too.
    let page = now(subscription.events(&now(subscription.left_at()).unwrap(), 1)).unwrap();
    assert!(page.more);
    now(subscription.note_place(&page.place)).unwrap();
    assert_eq!(now(subscription.left_at()).unwrap().position(), page.place.position());
    let rest = now(subscription.events(&now(subscription.left_at()).unwrap(), 50)).unwrap().events;
    let kinds: Vec<EventKind> = rest.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Created, EventKind::Modified]);
}

#[test]
fn old_and_lost_histories_are_refused() {
    let world = World::new(8);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let item = add(&mailbox, inbox, "a").item;
    let (subscription, place) = subscribed(&mailbox, &[inbox], PULL);
    let copy = world.restored(2);
    add(&mailbox, inbox, "lost");
    let later = now(subscription.events(&place, 9)).unwrap();
    let (streaming, _) = subscribed(&mailbox, &[inbox], Channel::Streaming);
    let streaming_id = {
        let watch = Watch { folders: vec![inbox], kinds: EventKinds::ALL };
        now(mailbox.subscribe(watch, Channel::Streaming, None, mailbox.caller())).unwrap().id
    };
    drop(streaming);
    // In the copy, what was issued before it goes on; what was issued after it does not.
    add(&copy.mailbox(), inbox, "other");
    let made = now(copy.engine.subscription(&copy.caller, &copy.caller, &streaming_id)).unwrap();
    assert_eq!(now(made.left_at()), Err(SubscriptionError::NotFound));
    let (there, _) = subscribed(&copy.mailbox(), &[inbox], PULL);
    assert_eq!(now(there.events(&place, 9)).unwrap().events.len(), 2);
    assert_eq!(now(there.events(&later.place, 9)), Err(SubscriptionError::Watermark));
    // Trimmed history.
    hard(&mailbox, item);
    let (fresh, _) = subscribed(&mailbox, &[inbox], PULL);
    world.trim();
    let (fresh_again, fresh_place) = subscribed(&mailbox, &[inbox], PULL);
    assert_eq!(now(fresh.events(&place, 9)), Err(SubscriptionError::Expired));
    assert_eq!(now(fresh_again.events(&place, 9)), Err(SubscriptionError::Watermark));
    assert!(now(fresh_again.events(&fresh_place, 9)).unwrap().events.is_empty());
}

/// A visitor hears of what the permissions let it see.
#[test]
fn visitors_hear_what_they_may_see() {
    let world = World::new(9);
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    let mailbox = world.mailbox();
    let [inbox, drafts] = ["inbox", "drafts"].map(|name| folder_named(&mailbox, name));
    let grant = |folder, rights: FolderRights| {
        let grantee =
            Grantee::Account { account: bob.account, address: bob.address.clone(), display_name: "Bob".into() };
        let value = Permissions(vec![Permission { grantee, rights }]).to_value();
        now(mailbox.update_folder(folder, &|bag| bag.set(PERMISSIONS, value.clone()))).unwrap();
    };
    let read = FolderRights::READ_ANY.with(FolderRights::VISIBLE);
    let visit = || now(world.engine.open_mailbox(&bob, MailboxName::Address("ada@example.com"))).unwrap();
    let subscribe = |folders: &[CollectionId]| {
        let watch = Watch { folders: folders.to_vec(), kinds: EventKinds::ALL };
        now(visit().subscribe(watch, PULL, None, &bob))
    };
    let denied = |error| Some(SubscriptionError::Engine(error));
    assert_eq!(subscribe(&[inbox]).err(), denied(EngineError::AccessDenied));
    grant(inbox, read);
    assert_eq!(subscribe(&[]).err(), denied(EngineError::AccessDenied));
    assert_eq!(subscribe(&[drafts]).err(), denied(EngineError::NoCollection(drafts)));
    let (subscription, place) = subscribed(&visit(), &[inbox], PULL);
    let mut names = Names::default();
    names.give(inbox.0, "I");
    names.give(folder_named(&mailbox, "msgfolderroot").0, "top");
    let a = add(&mailbox, inbox, "a").item;
    names.give(a.0, "a");
    let secret = add(&mailbox, drafts, "secret").item;
    let page = now(subscription.events(&place, 9)).unwrap();
    assert_eq!(names.shape(&page), "created I/a, modified top/I/=1");
    // From and to a folder that is not seen, nothing is moved.
    let b = now(mailbox.move_item(secret, Precondition::Any, inbox)).unwrap().item;
    names.give(b.0, "b");
    now(mailbox.move_item(a, Precondition::Any, drafts)).unwrap();
    new_folder(&mailbox, inbox, "inherits its rights");
    grant(inbox, read.with(FolderRights::CREATE));
    let page = now(subscription.events(&page.place, 9)).unwrap();
    let shape = names.shape(&page);
    assert!(shape.starts_with("created I/b, deleted I/a, created I/"), "{shape}");
    assert!(shape.ends_with(", modified top/I/=1"), "{shape}");
    grant(inbox, FolderRights::VISIBLE);
    assert_eq!(now(subscription.events(&page.place, 9)).err(), denied(EngineError::AccessDenied));
}

/// An answer costs what it tells of, beside the folders, however long the history and whatever lies in the folder.
#[test]
fn an_answer_costs_what_it_tells() {
    let world = World::new(10);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let folders = now(now(mailbox.begin()).unwrap().folders()).unwrap().len() as u64;
    let items: Vec<ItemId> = (0..1_000).map(|_| add(&mailbox, inbox, "x").item).collect();
    let (subscription, place) = subscribed(&mailbox, &[], PULL);
    let rows = |work: &dyn Fn() -> EventPage| {
        let before = world.store.rows_read();
        let page = work();
        (world.store.rows_read() - before, page)
    };
    let (cost, _) = rows(&|| now(subscription.events(&place, 50)).unwrap());
    assert!(cost <= 2, "{cost}");
    for item in &items[..300] {
        now(mailbox.set_read(*item, true)).unwrap();
    }
    let (cost, page) = rows(&|| now(subscription.events(&place, 10)).unwrap());
    assert_eq!(page.events.len(), 10);
    // Folders and their spans; a read ahead; the rows with their bags.
    assert!(cost <= 2 * folders + 32 + 3 * 10 + 8, "{cost}");
}
