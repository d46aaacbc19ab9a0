//! Accounts and sites.

use engine::{EngineError, MailboxName, NewSite, Rights};
use model::Guid;

use crate::{World, account, now};

#[test]
fn accounts() {
    let world = World::new(1);
    let directory = world.engine.directory();
    let bob = now(directory.add_account(account("Bob@Example.com"))).unwrap();
    assert_eq!(bob.caller.address, "bob@example.com");
    assert_eq!(now(directory.account("BOB@example.COM")).unwrap().unwrap().caller, bob.caller);
    assert!(now(directory.add_account(account("bob@EXAMPLE.com"))).is_err_and(|error| error == EngineError::NameTaken));
    for bad in ["", "bob", "@example.com", "bob@", "b ob@example.com", "bob@exa/mple.com", "a@b@c"] {
        let added = now(directory.add_account(account(bad)));
        assert!(matches!(added, Err(EngineError::Invalid(_))), "{bad}");
    }
    now(directory.set_password("bob@example.com", "other")).unwrap();
    assert_eq!(now(directory.account("bob@example.com")).unwrap().unwrap().password_hash, "other");
    assert_eq!(now(directory.set_password("eve@example.com", "x")), Err(EngineError::NoAccount));
    assert_eq!(now(directory.accounts()).unwrap().len(), 2);

    // The mailbox of another is closed, by address and by GUID; one that is not there is another answer.
    let open = |name| now(world.engine.open_mailbox(&world.caller, name)).map(drop);
    now(world.engine.open_mailbox(&bob.caller, MailboxName::Own)).unwrap();
    assert_eq!(open(MailboxName::Address("ADA@example.com")), Ok(()));
    assert_eq!(open(MailboxName::Guid(world.caller.mailbox_guid)), Ok(()));
    assert_eq!(open(MailboxName::Address("bob@example.com")), Err(EngineError::AccessDenied));
    assert_eq!(open(MailboxName::Guid(bob.caller.mailbox_guid)), Err(EngineError::AccessDenied));
    assert_eq!(open(MailboxName::Address("eve@example.com")), Err(EngineError::NoMailbox { guid: None }));
    let nobody = Guid([9; 16]);
    assert_eq!(open(MailboxName::Guid(nobody)), Err(EngineError::NoMailbox { guid: Some(nobody) }));

    now(directory.remove_account("bob@example.com")).unwrap();
    assert_eq!(now(directory.remove_account("bob@example.com")), Err(EngineError::NoAccount));
    assert!(now(directory.account("bob@example.com")).unwrap().is_none());
    // The address is free again, and leads to another mailbox.
    let again = now(directory.add_account(account("bob@example.com"))).unwrap();
    assert_ne!(again.caller.account, bob.caller.account);
}

#[test]
fn sites() {
    let world = World::new(1);
    let directory = world.engine.directory();
    let new = |path: &str, owner: Option<&str>| NewSite {
        path: path.into(),
        title: "Team".into(),
        owner: owner.map(str::to_owned),
    };
    let team = now(directory.add_site(new("/sites/Team/", Some("ADA@example.com")))).unwrap();
    assert_eq!((team.path.as_str(), team.owner.as_deref()), ("/sites/Team", Some("ada@example.com")));
    assert_eq!(now(directory.site("/SITES/team/")).unwrap().as_ref(), Some(&team));
    assert_eq!(now(directory.add_site(new("/sites/team", None))), Err(EngineError::NameTaken));
    assert_eq!(now(directory.add_site(new("/sites/x", Some("eve@example.com")))), Err(EngineError::NoAccount));
    for bad in ["", "/", "sites", "/_vti_bin", "/a//b", "/a/../b", "/a?b"] {
        assert!(matches!(now(directory.add_site(new(bad, None))), Err(EngineError::Invalid(_))), "{bad}");
    }
    let bob = now(directory.add_account(account("bob@example.com"))).unwrap().caller;
    let rights = |caller, path| now(world.engine.open_site(caller, path)).map(|site| site.rights());
    assert_eq!(rights(&world.caller, "/sites/team"), Ok(Rights::Full));
    assert_eq!(rights(&bob, "/sites/team"), Ok(Rights::Contribute));
    assert_eq!(rights(&bob, "/"), Ok(Rights::Full));
    assert_eq!(rights(&bob, "/sites/none"), Err(EngineError::NoSite));
    assert_eq!(now(directory.sites()).unwrap().len(), 2);
    assert_eq!(now(directory.remove_site("/")), Err(EngineError::NoSite));
    now(directory.remove_site("/sites/team")).unwrap();
    assert_eq!(rights(&bob, "/sites/team"), Err(EngineError::NoSite));
}

#[test]
fn opening_again_changes_nothing() {
    let world = World::new(1);
    let (mailbox, site) = (world.mailbox(), world.site());
    let positions = || {
        let mailbox = now(world.mailbox().begin()).unwrap().position();
        (mailbox, now(world.site().begin()).unwrap().position())
    };
    let before = positions();
    assert_eq!(positions(), before);
    assert_eq!((mailbox.guid(), site.user_id()), (world.caller.mailbox_guid, 1));
    // Another start over the same store still knows its tokens' secret.
    let state = crate::sync_folders(&mailbox, None).state;
    let again = world.restored(2);
    assert_eq!(crate::sync_folders(&again.mailbox(), Some(&state)).changes, []);
}
