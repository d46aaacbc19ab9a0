//! Finding items.

use engine::{MailboxName, Query, SyncScope};
use model::{Comparison, ItemFlags, Operand, Order, Predicate, SortKey, Value, tags};

use store::{Commit, ItemChange, Store, Write};

use crate::{World, add, folder_named, message, now};

#[test]
fn conditions_orders_and_pages() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    for name in ["b", "d", "a", "c", "a"] {
        add(&mailbox, inbox, name);
    }
    now(mailbox.create_item(inbox, message("z"), ItemFlags::ASSOCIATED)).unwrap();
    let find = |predicate: Predicate, sort: Vec<SortKey>, offset, limit, scope| {
        let query = Query { predicate, sort, offset, limit, scope };
        let found = now(now(mailbox.begin()).unwrap().find(inbox, &query)).unwrap();
        let subjects =
            found.rows.iter().map(|row| model::BagRef::new(&row.bag).unwrap().text(&tags::SUBJECT).unwrap().to_owned());
        (subjects.collect::<String>(), found.total)
    };
    let by = |order| vec![SortKey { key: tags::SUBJECT, order }];
    let at_most = |text: &str| Predicate::Compare {
        left: Operand::Key(tags::SUBJECT),
        how: Comparison::LessOrEqual,
        right: Operand::Constant(Value::text(text)),
        ignore_case: true,
    };
    let normal = SyncScope::Normal;
    let all = Predicate::True;
    assert_eq!(find(all.clone(), vec![], 0, 10, normal), ("acadb".into(), 5));
    assert_eq!(find(all.clone(), vec![], 1, 2, normal), ("ca".into(), 5));
    assert_eq!(find(all.clone(), vec![], 9, 2, normal), (String::new(), 5));
    assert_eq!(find(all.clone(), vec![], 0, 10, SyncScope::Associated), ("z".into(), 1));
    assert_eq!(find(all.clone(), vec![], 0, 1, SyncScope::NormalAndAssociated), ("z".into(), 6));
    assert_eq!(find(all.clone(), by(Order::Ascending), 0, 10, normal), ("aabcd".into(), 5));
    assert_eq!(find(all, by(Order::Descending), 1, 2, normal), ("cb".into(), 5));
    assert_eq!(find(at_most("B"), vec![], 0, 10, normal), ("aab".into(), 3));
    assert_eq!(find(at_most("B"), by(Order::Descending), 0, 1, normal), ("b".into(), 3));
}

#[test]
fn what_lies_in_the_row_can_be_asked_for() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let plain = add(&mailbox, inbox, "plain").item;
    let other = now(mailbox.create_item(inbox, message("other"), ItemFlags::ASSOCIATED)).unwrap().item;
    let find = |tag: u16, value: Value| {
        let predicate = Predicate::Compare {
            left: Operand::Key(model::PropertyKey::Tag(tag)),
            how: Comparison::Equal,
            right: Operand::Constant(value),
            ignore_case: false,
        };
        let query = Query { predicate, sort: vec![], offset: 0, limit: 9, scope: SyncScope::NormalAndAssociated };
        let found = now(now(mailbox.begin()).unwrap().find(inbox, &query)).unwrap();
        found.rows.iter().map(|row| row.item).collect::<Vec<_>>()
    };
    assert_eq!(find(0x0e23, Value::I32(i32::try_from(plain.0).unwrap())), [plain]);
    assert_eq!(find(0x0e23, Value::I64(other.to_i64())), [other]);
    assert_eq!(find(0x67aa, Value::Bool(true)), [other]);
    assert_eq!(find(0x67aa, Value::Bool(false)), [plain]);
    assert_eq!(find(0x0e69, Value::Bool(false)), [other, plain]);
}

#[test]
fn an_item_that_cannot_be_read_fails_alone() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let [bad, good] = ["a", "b"].map(|name| add(&mailbox, inbox, name).item);
    let damage = ItemChange { item: bad, flags: None, bag: Some(vec![9, 9].into()), parts: Vec::new(), content: true };
    let mut commit = Commit::new(world.caller.account, model::Clock::now(&*world.clock));
    commit.writes.push(Write::UpdateItem(damage));
    now(world.store.commit(commit)).unwrap();
    let mailbox = now(world.engine.open_mailbox(&world.caller, MailboxName::Own)).unwrap();
    let find = |predicate: Predicate, sort: Vec<SortKey>| {
        let query = Query { predicate, sort, offset: 0, limit: 9, scope: SyncScope::Normal };
        let found = now(now(mailbox.begin()).unwrap().find(inbox, &query)).unwrap();
        found.rows.iter().map(|row| row.item).collect::<Vec<_>>()
    };
    let by = SortKey { key: tags::SUBJECT, order: Order::Ascending };
    assert_eq!(find(Predicate::True, vec![]), [good, bad]);
    assert_eq!(find(Predicate::True, vec![by.clone()]), [bad, good]);
    assert_eq!(find(Predicate::Exists(tags::SUBJECT), vec![by]), [good]);
    let row = now(now(mailbox.begin()).unwrap().item(bad)).unwrap();
    assert!(engine::ItemView::new(&row).is_err_and(|error| error.is_damage()));
    // It can still be deleted.
    now(mailbox.delete_item(bad, engine::Precondition::Any, engine::DeleteMode::Hard)).unwrap();
}
