//! Mail between mailboxes.

use engine::{Caller, EngineError, ItemRow, MailboxName, Own, Sending};
use model::{ItemFlags, RootId, Seq, Value, tags};
use store::Store as _;

use crate::{World, account, add, folder_named, message, now, shape, sync};

const ARRIVED: u64 = 0x10;

fn bob(world: &World) -> Caller {
    now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller
}

fn arrivals(world: &World, root: RootId) -> usize {
    now(now(world.store.snapshot(root)).unwrap().names(ARRIVED, None, 100)).unwrap().rows.len()
}

#[test]
fn an_act_is_one_commit_or_none() {
    let world = World::new(1);
    let bob = bob(&world);
    let (mailbox, theirs) = (world.mailbox(), now(world.engine.open_mailbox(&bob, MailboxName::Own)).unwrap());
    let (sent, drafts) = (folder_named(&mailbox, "sentitems"), folder_named(&mailbox, "drafts"));
    let draft = add(&mailbox, drafts, "draft");
    let state = sync(&mailbox, drafts, None).state;
    let inbox = folder_named(&theirs, "inbox");
    let send = |at| {
        let own = vec![
            Own::Create { folder: sent, content: message("draft"), flags: ItemFlags::READ },
            Own::Delete { row: ItemRow { seq: at, ..draft.clone() } },
        ];
        let sending = Sending { message: message("draft"), to: vec![bob.clone(), world.caller.clone()] };
        now(mailbox.act(own, vec![sending]))
    };
    assert_eq!(send(Seq(1)), Err(EngineError::Stale { item: draft.item, current: Seq::ZERO }));
    let items = |name| now(now(mailbox.begin()).unwrap().collection(folder_named(&mailbox, name))).unwrap().items;
    assert_eq!([items("sentitems"), items("drafts"), items("inbox"), items("outbox")], [0, 1, 0, 0]);
    assert!(sync(&theirs, inbox, None).changes.is_empty());
    let rows = send(draft.seq).unwrap();
    assert_eq!((rows[0].as_ref().unwrap().collection, rows[1].is_none()), (sent, true));
    assert_eq!([items("sentitems"), items("drafts"), items("inbox"), items("outbox")], [1, 0, 1, 0]);
    assert_eq!(shape(&sync(&mailbox, drafts, Some(&state)).changes), format!("D{}", draft.item));
    assert_eq!(sync(&theirs, inbox, None).changes.len(), 1);
}

/// Notes of arrivals go with the retention, and not before.
#[test]
fn arrivals_are_forgotten_in_time() {
    let world = World::new(2);
    let bob = bob(&world);
    let mailbox = world.mailbox();
    let send = || now(mailbox.act(Vec::new(), vec![Sending { message: message("x"), to: vec![bob.clone()] }])).unwrap();
    send();
    world.clock.advance(10);
    now(world.engine.trim()).unwrap();
    assert_eq!(arrivals(&world, bob.account), 1);
    world.clock.advance(world.engine.settings().retention_seconds - 5);
    send();
    now(world.engine.trim()).unwrap();
    assert_eq!(arrivals(&world, bob.account), 1);
    world.trim();
    assert_eq!(arrivals(&world, bob.account), 0);
}

/// What its sender has changed in the outbox meanwhile is not what was sent.
#[test]
fn a_changed_message_is_withdrawn() {
    let world = World::new(3);
    let bob = bob(&world);
    let mailbox = world.mailbox();
    let (outbox, theirs) =
        (folder_named(&mailbox, "outbox"), now(world.engine.open_mailbox(&bob, MailboxName::Own)).unwrap());
    // The recipient's mailbox is out of reach.
    now(world.store.drop_root(bob.account)).unwrap();
    now(mailbox.act(Vec::new(), vec![Sending { message: message("x"), to: vec![bob.clone()] }])).unwrap();
    let waiting = sync(&mailbox, outbox, None).changes;
    assert_eq!(waiting.len(), 1);
    let engine::ItemSyncChange::Create(row) = &waiting[0] else { panic!() };
    let change = |draft: &mut engine::ItemDraft| draft.bag.set(tags::SUBJECT, Value::text("y"));
    now(mailbox.update_item(row.item, engine::Precondition::Any, &change)).unwrap();
    assert_eq!(now(world.engine.recover()).unwrap(), 0);
    assert_eq!(sync(&mailbox, outbox, None).changes.len(), 1);
    drop(theirs);
}
