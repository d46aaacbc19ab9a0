//! Finding items.

use engine::{Query, SyncScope};
use model::{Comparison, ItemFlags, Operand, Order, Predicate, SortKey, Value, tags};

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
