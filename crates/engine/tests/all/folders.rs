//! Folders: making, renaming, moving and deleting them.

use engine::{DISTINGUISHED, DeleteMode, Distinguished, EngineError, NewFolder};
use model::{CollectionId, Value, limits, tags};

use crate::{World, add, folder_named, new_folder, now};

#[test]
fn a_new_mailbox_has_its_folders() {
    let mailbox = World::new(1).mailbox();
    let mut view = now(mailbox.begin()).unwrap();
    for entry in DISTINGUISHED {
        let Distinguished::Made { parent, display_name, class } = entry.folder else {
            assert!(now(view.distinguished(entry.name)).is_err(), "{}", entry.name);
            continue;
        };
        let id = now(view.distinguished(entry.name)).unwrap();
        let folder = now(view.folder(id)).unwrap();
        assert_eq!((folder.display_name(), folder.class()), (display_name, class));
        assert_eq!(folder.distinguished(), Some(entry.name));
        assert_eq!(folder.is_search(), parent == "searchfolders");
        if parent.is_empty() {
            assert_eq!(folder.parent(), None);
        } else {
            let parent = now(view.distinguished(parent)).unwrap();
            assert_eq!(folder.parent(), Some(parent));
            assert_eq!(now(view.child(parent, &display_name.to_uppercase())).unwrap(), Some(id));
        }
    }
}

#[test]
fn names_are_unique_under_a_parent() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let create = |name: &str, parent| {
        let new = NewFolder { display_name: name.into(), ..NewFolder::default() };
        now(mailbox.create_folder(parent, new)).map(|folder| folder.id())
    };
    let a = create("A", inbox).unwrap();
    let b = create("b", inbox).unwrap();
    assert_eq!(create("a", inbox), Err(EngineError::NameTaken));
    assert_eq!(create(" ", inbox), Err(EngineError::Invalid("the name is empty")));
    assert_eq!(create(&"x".repeat(limits::NAME_CHARS_MAX + 1), inbox), Err(EngineError::TooLarge("name")));
    assert_eq!(create("x", CollectionId(99_999)), Err(EngineError::NoCollection(CollectionId(99_999))));
    let rename = |id, name: &str| {
        let name = name.to_owned();
        let change = move |bag: &mut model::Bag| bag.set(tags::DISPLAY_NAME, Value::text(name.clone()));
        now(mailbox.update_folder(id, &change)).map(|folder| folder.display_name().to_owned())
    };
    assert_eq!(rename(b, "A"), Err(EngineError::NameTaken));
    assert_eq!(rename(b, "B"), Ok("B".into()));
    assert_eq!(rename(b, "c"), Ok("c".into()));
    assert_eq!(rename(inbox, "x"), Err(EngineError::Distinguished));
    // The old name is free, the new one is not.
    let old = create("b", inbox).unwrap();
    assert_eq!(create("C", inbox), Err(EngineError::NameTaken));
    let move_to = |id, to| now(mailbox.move_folder(id, to)).map(|folder| folder.parent());
    let inside = create("B", a).unwrap();
    assert_eq!(move_to(old, a), Err(EngineError::NameTaken));
    assert_eq!(move_to(a, inside), Err(EngineError::Circle));
    assert_eq!(move_to(a, a), Err(EngineError::Circle));
    assert_eq!(move_to(inbox, a), Err(EngineError::Distinguished));
    assert_eq!(move_to(b, a), Ok(Some(a)));
    assert_eq!(move_to(b, a), Ok(Some(a)));
    let mut view = now(mailbox.begin()).unwrap();
    assert_eq!(now(view.child(a, "C")).unwrap(), Some(b));
    assert_eq!(now(view.child(inbox, "c")).unwrap(), None);
}

#[test]
fn deleted_folders_go_where_the_mode_says() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let bin = folder_named(&mailbox, "deleteditems");
    let parent = |id| now(now(mailbox.begin()).unwrap().folder(id)).map(|folder| folder.parent());
    // Far more often than there are small numbers for names.
    for round in 0..40 {
        let id = new_folder(&mailbox, inbox, "same");
        let child = new_folder(&mailbox, id, "child");
        add(&mailbox, child, "x");
        now(mailbox.delete_folder(id, DeleteMode::MoveToDeletedItems)).unwrap();
        assert_eq!(parent(id), Ok(Some(bin)), "{round}");
        if round % 2 == 0 {
            // From there it goes for good, with everything in it.
            now(mailbox.delete_folder(id, DeleteMode::MoveToDeletedItems)).unwrap();
            assert_eq!(parent(id), Err(EngineError::NoCollection(id)));
            assert_eq!(parent(child), Err(EngineError::NoCollection(child)));
        }
    }
    // Softly, the items are kept, and no folder is.
    let id = new_folder(&mailbox, inbox, "same");
    let child = new_folder(&mailbox, id, "child");
    (0..1_100).for_each(|number| drop(add(&mailbox, child, &number.to_string())));
    let kept = || {
        now(now(mailbox.begin()).unwrap().collection(folder_named(&mailbox, "recoverableitemsdeletions")))
            .unwrap()
            .items
    };
    let before = kept();
    now(mailbox.delete_folder(id, DeleteMode::Soft)).unwrap();
    assert_eq!(
        (parent(id), parent(child)),
        (Err(EngineError::NoCollection(id)), Err(EngineError::NoCollection(child)))
    );
    assert_eq!(kept(), before + 1_100);
    assert_eq!(now(mailbox.delete_folder(id, DeleteMode::Hard)), Err(EngineError::NoCollection(id)));
    assert_eq!(now(mailbox.delete_folder(inbox, DeleteMode::Hard)), Err(EngineError::Distinguished));
    new_folder(&mailbox, inbox, "same");
}
