//! Roles: who may do what in a site, its lists and rows.

use engine::{
    Caller, DEFAULT_ASSIGNMENTS, EVERYONE, EngineError, GROUPS, ListSync, Removal, Rights, RoleScope, RowDraft, Site,
    SiteMask, Verdict, list_keys,
};
use model::{Bag, CollectionId, ItemFlags, ItemId, PropertyKey, Value};
use store::{ItemRow, TombstoneKind};

use crate::{World, account, now};

const FULL: u32 = 1_073_741_829;
const CONTRIBUTE: u32 = 1_073_741_827;
const READ: u32 = 1_073_741_826;
const LIMITED: u32 = 1_073_741_825;

struct Team {
    world: World,
    owner: Site,
    bob: Caller,
    list: CollectionId,
}

impl Team {
    fn new() -> Self {
        let world = World::new(1);
        let owner = world.site();
        let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
        let list = now(now(owner.begin()).unwrap().list_by_title("Documents")).unwrap().unwrap().id();
        Self { world, owner, bob, list }
    }

    fn try_bob(&self) -> Result<Site, EngineError> {
        now(self.world.engine.open_site(&self.bob, "/sites/team"))
    }

    fn bob(&self) -> Site {
        self.try_bob().unwrap()
    }

    fn put(&self, path: &str, flags: ItemFlags) -> ItemId {
        let draft = RowDraft { path: Some(path.into()), flags, ..RowDraft::default() };
        now(self.owner.create_row(self.list, draft)).unwrap().item
    }

    /// The numbers of the rows that somebody sees.
    fn seen(&self, site: &Site) -> Vec<u32> {
        let rows = now(now(site.begin()).unwrap().rows(self.list, None, 100)).unwrap().rows;
        rows.iter().map(|row| row.item.number()).collect()
    }

    fn sync(&self, site: &Site, since: model::Seq) -> (Vec<(TombstoneKind, u32)>, Vec<u32>) {
        let guid = now(now(self.owner.begin()).unwrap().list(self.list)).unwrap().guid();
        let (token, judge) = (site.list_token(&now(site.begin()).unwrap(), guid, since), |_: &ItemRow| Verdict::Take);
        let page =
            now(site.sync_list(ListSync { list: self.list, token: &token, rows_max: 40, judge: &judge })).unwrap();
        let changes = page.changes.iter().map(|change| (change.kind, change.item.number())).collect();
        (changes, page.rows.iter().map(|row| row.item.number()).collect())
    }

    fn position(&self) -> model::Seq {
        now(self.owner.begin()).unwrap().position()
    }
}

fn title(text: &str) -> impl Fn(&mut RowDraft) + Sync {
    let text = text.to_owned();
    move |draft: &mut RowDraft| draft.bag.set(PropertyKey::field("Title"), Value::text(text.clone()))
}

const FOLDER: ItemFlags = ItemFlags::FOLDER;
const FILE: ItemFlags = ItemFlags(0);

#[test]
fn everybody_contributes_until_somebody_says_otherwise() {
    let team = Team::new();
    let bob = team.bob();
    assert_eq!((bob.rights(), team.owner.rights()), (Rights::Contribute, Rights::Full));
    assert_eq!(bob.mask().0, 0x1b0_3c43_12ef);
    let state = now(team.owner.roles(RoleScope::Site)).unwrap();
    assert_eq!((state.own, state.assignments.0.as_slice()), (true, &DEFAULT_ASSIGNMENTS[..]));
    assert_eq!(now(bob.roles(RoleScope::Site)), Err(EngineError::AccessDenied));
    assert_eq!(now(bob.add_role(RoleScope::Site, bob.user_id(), FULL)), Err(EngineError::AccessDenied));

    now(team.owner.remove_role(RoleScope::Site, EVERYONE, None)).unwrap();
    assert!(matches!(team.try_bob(), Err(EngineError::AccessDenied)));
    now(team.owner.add_role(RoleScope::Site, bob.user_id(), READ)).unwrap();
    let bob = team.bob();
    assert_eq!(bob.rights(), Rights::Read);
    let refused = now(bob.create_row(team.list, RowDraft::default()));
    assert_eq!(refused.unwrap_err(), EngineError::AccessDenied);
    now(team.owner.set_member(GROUPS[0].id, bob.user_id(), true)).unwrap();
    assert_eq!((team.bob().mask(), now(team.owner.members(GROUPS[0].id)).unwrap()), (SiteMask::FULL, vec![2]));
    now(team.owner.set_member(GROUPS[0].id, bob.user_id(), false)).unwrap();
    assert_eq!(now(team.owner.mask_of(RoleScope::Site, bob.user_id())).unwrap(), team.bob().mask());
    assert_eq!(now(team.owner.mask_of(RoleScope::Site, team.owner.user_id())).unwrap(), SiteMask::FULL);
    assert_eq!(now(team.owner.add_role(RoleScope::Site, 77, READ)), Err(EngineError::NoAccount));
    assert!(matches!(now(team.owner.add_role(RoleScope::Site, 2, 5)), Err(EngineError::Invalid(_))));
}

#[test]
fn accounts_become_users_by_name() {
    let team = Team::new();
    assert_eq!(now(team.owner.ensure_account("BOB@example.com")), Ok(2));
    assert_eq!(now(team.owner.ensure_account("nobody@example.com")), Err(EngineError::NoAccount));
    assert_eq!(team.bob().user_id(), 2);
}

#[test]
fn a_list_of_its_own() {
    let team = Team::new();
    let bob = team.bob();
    team.put("a.txt", FILE);
    let scope = RoleScope::List(team.list);
    assert!(!now(team.owner.has_own_roles(scope)).unwrap());
    assert!(matches!(now(team.owner.add_role(scope, 2, READ)), Err(EngineError::Invalid(_))));
    now(team.owner.break_inheritance(scope, false, false)).unwrap();
    assert!(now(team.owner.has_own_roles(scope)).unwrap());
    assert_eq!(now(team.owner.roles(scope)).unwrap().assignments.0, [(1, FULL)]);
    assert_eq!(now(now(bob.begin()).unwrap().list(team.list)), Err(EngineError::AccessDenied));
    assert_eq!(now(now(bob.begin()).unwrap().lists()).unwrap().len(), 4);
    now(team.owner.add_role(scope, 2, READ)).unwrap();
    assert_eq!(now(now(bob.begin()).unwrap().list(team.list)).unwrap().access.mask().0, 0xb0_0843_1061);
    assert_eq!(now(bob.delete_row(ItemId::in_list(team.list, 1), None)), Err(EngineError::AccessDenied));
    now(team.owner.reset_inheritance(scope)).unwrap();
    assert!(!now(team.owner.has_own_roles(scope)).unwrap());
    now(bob.delete_row(ItemId::in_list(team.list, 1), None)).unwrap();
}

#[test]
fn rows_that_are_not_for_everybody() {
    let team = Team::new();
    let bob = team.bob();
    let (open, closed) = (team.put("a.txt", FILE), team.put("b.txt", FILE));
    let start = team.position();
    let scope = RoleScope::Row(closed);
    now(team.owner.break_inheritance(scope, false, false)).unwrap();
    assert_eq!((team.seen(&bob), team.seen(&team.owner)), (vec![1], vec![1, 2]));
    // What can no longer be seen is gone, for who synchronises.
    assert_eq!(team.sync(&bob, start), (vec![(TombstoneKind::Deleted, 2)], vec![]));
    assert_eq!(team.sync(&team.owner, start), (vec![], vec![2]));
    let mut view = now(bob.begin()).unwrap();
    assert_eq!(now(view.row_at(team.list, "b.txt")).unwrap(), None);
    assert_eq!(now(view.part(closed, list_keys::PART_FILE)), Err(EngineError::NoItem(closed)));
    drop(view);
    assert_eq!(now(bob.update_row(closed, None, &title("x"))).unwrap_err(), EngineError::NoItem(closed));
    assert_eq!(now(bob.delete_row(closed, None)), Err(EngineError::NoItem(closed)));
    assert_eq!(now(bob.roles(scope)), Err(EngineError::NoItem(closed)));
    // Seen again, and still not to be changed.
    let hidden = team.position();
    now(team.owner.add_role(scope, 2, READ)).unwrap();
    assert_eq!(team.sync(&bob, hidden), (vec![], vec![2]));
    assert_eq!(now(bob.update_row(closed, None, &title("x"))).unwrap_err(), EngineError::AccessDenied);
    assert_eq!(now(team.owner.mask_of(scope, 2)).unwrap().0, 0xb0_0843_1061);
    now(bob.update_row(open, None, &title("x"))).unwrap();
    // A change of permissions is no new version.
    let bag = Bag::decode(&now(now(bob.begin()).unwrap().item(closed)).unwrap().bag).unwrap();
    assert_eq!(bag.get(&list_keys::ROW_VERSION), Some(&Value::I32(1)));
    let list = || now(now(team.owner.begin()).unwrap().list(team.list)).unwrap();
    assert!(list().has_unique_items() && !list().has_own_roles());
    now(team.owner.reset_inheritance(scope)).unwrap();
    now(bob.update_row(closed, None, &title("x"))).unwrap();
}

#[test]
fn folders_stand_for_what_is_in_them() {
    let team = Team::new();
    let bob = team.bob();
    let top = team.put("A", FOLDER);
    let inner = team.put("A/B", FOLDER);
    let deep = team.put("A/B/c.txt", FILE);
    let beside = team.put("AB.txt", FILE);
    let start = team.position();
    now(team.owner.break_inheritance(RoleScope::Row(top), false, false)).unwrap();
    assert_eq!(team.seen(&bob), [beside.number()]);
    let gone = |id: ItemId| (TombstoneKind::Deleted, id.number());
    assert_eq!(team.sync(&bob, start), (vec![gone(top), gone(inner), gone(deep)], vec![]));
    let refused = now(bob.create_row(team.list, RowDraft { path: Some("A/x".into()), ..RowDraft::default() }));
    assert_eq!(refused.unwrap_err(), EngineError::AccessDenied);
    assert_eq!(now(bob.move_row(beside, team.list, "A/AB.txt")).unwrap_err(), EngineError::AccessDenied);
    // The inner folder is for Bob, and so is what lies in it.
    now(team.owner.break_inheritance(RoleScope::Row(inner), true, false)).unwrap();
    now(team.owner.add_role(RoleScope::Row(inner), 2, CONTRIBUTE)).unwrap();
    assert_eq!(team.seen(&bob), [inner, deep, beside].map(ItemId::number));
    assert_eq!(now(team.owner.roles(RoleScope::Row(deep))).unwrap().assignments.0, [(1, FULL), (2, CONTRIBUTE)]);
    let added = RowDraft { path: Some("A/B/d.txt".into()), ..RowDraft::default() };
    now(bob.create_row(team.list, added)).unwrap();
    // A folder is deleted by who may delete all of it.
    now(team.owner.break_inheritance(RoleScope::Row(deep), false, false)).unwrap();
    assert_eq!(now(bob.delete_row(inner, None)), Err(EngineError::AccessDenied));
    // Clearing what is below.
    now(team.owner.break_inheritance(RoleScope::Row(top), true, true)).unwrap();
    assert_eq!(team.seen(&bob), [beside.number()]);
    assert!(!now(team.owner.has_own_roles(RoleScope::Row(inner))).unwrap());
    now(team.owner.reset_inheritance(RoleScope::Row(top))).unwrap();
    assert_eq!(team.seen(&bob).len(), 5);
}

#[test]
fn the_way_to_a_row_is_opened() {
    let team = Team::new();
    let bob = team.bob();
    let (shown, _) = (team.put("a.txt", FILE), team.put("b.txt", FILE));
    now(team.owner.remove_role(RoleScope::Site, EVERYONE, None)).unwrap();
    assert!(team.try_bob().is_err());
    now(team.owner.break_inheritance(RoleScope::Row(shown), true, false)).unwrap();
    now(team.owner.add_role(RoleScope::Row(shown), bob.user_id(), READ)).unwrap();
    let state = now(team.owner.roles(RoleScope::Site)).unwrap();
    assert!(state.assignments.0.contains(&(2, LIMITED)));
    let bob = team.bob();
    assert_eq!(team.seen(&bob), [1]);
    let lists = now(now(bob.begin()).unwrap().lists()).unwrap();
    let titles: Vec<&str> = lists.iter().map(|list| list.title()).collect();
    assert_eq!(titles, ["User Information List", "Documents"]);
    let refused = now(bob.create_row(team.list, RowDraft::default()));
    assert_eq!(refused.unwrap_err(), EngineError::AccessDenied);
}

#[test]
fn a_closed_row_stays_closed_through_the_recycle_bin() {
    let team = Team::new();
    let bob = team.bob();
    let closed = team.put("a.txt", FILE);
    now(team.owner.break_inheritance(RoleScope::Row(closed), false, false)).unwrap();
    let entry = now(team.owner.remove_row(closed, None, Removal::Recycle, None)).unwrap().unwrap();
    assert!(matches!(now(bob.restore_recycled(entry)), Err(EngineError::NoItem(_))));
    // Meanwhile the list forgets what was its own.
    now(team.owner.break_inheritance(RoleScope::List(team.list), true, true)).unwrap();
    now(team.owner.restore_recycled(entry)).unwrap();
    assert_eq!((team.seen(&bob), team.seen(&team.owner)), (vec![], vec![1]));
}
