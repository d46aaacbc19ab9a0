//! The conformance battery: what a store has to show before it may be used.
//!
//! Each behaviour is a function over any [`Store`](crate::Store) that is empty; [`crate::battery!`] makes a test of
//! each. The battery knows nothing but the port. It is compiled with the crate, so that store crates use it from their
//! tests.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a behaviour fails by panicking")]

pub mod collections;
pub mod commits;
pub mod concurrent;
pub mod dump;
pub mod items;
pub mod keys;
pub mod names;
pub mod parts;
pub mod random;
pub mod ranges;
pub mod retention;
pub mod roots;
pub mod transfer;
pub mod waiting;

mod bench;

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread until it is done.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}

/// Makes a module `$name` with one test a behaviour. `$factory` is called for each test and gives an empty store as
/// anything that is `AsRef<dyn Store>`: a `Box<dyn Store>`, or a struct that also holds a directory until it is dropped.
///
/// `battery!(@transfer …)` makes the tests of what a store adds that can be copied.
#[macro_export]
macro_rules! battery {
    ($name:ident, $factory:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::battery! {@tests $factory;
                collections::a_collection_is_born_at_its_position,
                collections::counts_follow_items_and_flags,
                collections::drop_removes_items_and_keeps_the_span,
                collections::drop_of_a_parent_conflicts,
                collections::missing_collections_are_named,
                collections::moves_make_spans,
                collections::own_changes_move_seq_and_items_seq,
                collections::references_reach_earlier_writes,
                commits::a_failing_write_leaves_nothing,
                commits::guards_hold_or_name_the_first_that_fails,
                commits::guards_see_the_state_before_the_writes,
                commits::operations_are_remembered,
                commits::positions_have_no_gaps,
                commits::snapshots_stand_still,
                commits::too_much_is_refused,
                concurrent::a_follower_misses_nothing,
                concurrent::committers_share_the_positions,
                concurrent::one_of_two_wins_a_guard,
                items::associated_flips_leave_a_rescoped_tombstone,
                items::copies_are_new_items,
                items::creation_sets_all_positions,
                items::deletion_leaves_a_tombstone,
                items::given_ids_must_be_free,
                items::marks_do_not_touch_the_item,
                items::missing_items_are_named,
                items::moves_leave_a_tombstone_and_make_a_new_item,
                items::numbers_are_never_given_again,
                items::read_flag_changes_leave_content_seq,
                items::wanted_bags_come_along,
                keys::keys_are_paged_in_order,
                keys::keys_change_as_they_are_told,
                keys::keys_go_in_steps_or_with_their_collection,
                keys::keys_keep_their_bounds,
                names::a_name_leads_to_its_latest_target,
                names::names_are_paged_in_order,
                names::targets_may_be_created_in_the_same_commit,
                items::what_comes_back_loses_its_tombstones,
                parts::copies_and_moves_keep_parts,
                parts::equal_parts_live_as_long_as_one_needs_them,
                parts::large_parts_come_back_whole,
                parts::parts_come_in_ranges,
                parts::parts_may_lie_outside_of_memory,
                parts::parts_change_in_order,
                parts::parts_go_with_their_item,
                random::random_histories_agree_with_the_memory_store,
                ranges::changes_are_paged_by_position,
                ranges::collections_are_paged_by_id,
                ranges::created_is_paged_newest_first,
                ranges::items_come_in_the_order_asked,
                ranges::limits_above_the_bound_count_as_the_bound,
                ranges::listing_is_paged_by_id,
                ranges::one_entry_stands_for_an_item_however_often_it_changed,
                retention::position_at_misses_nothing,
                retention::position_at_survives_a_clock_that_goes_back,
                retention::trimming_keeps_to_its_bounds,
                retention::trimming_moves_the_marks,
                roots::a_root_begins_empty_at_zero,
                roots::a_root_is_created_once,
                roots::dropped_roots_are_gone,
                roots::epochs_have_one_row_a_start,
                roots::roots_are_independent,
                roots::roots_are_paged_by_id,
                waiting::a_wait_that_is_given_up_is_forgotten,
                waiting::a_waiter_follows_a_writer,
                waiting::those_who_wait_are_told,
                waiting::waits_end_with_the_root,
                waiting::what_is_there_is_not_waited_for,
            }
        }
    };
    (@transfer $name:ident, $factory:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::battery! {@tests $factory;
                transfer::a_copy_goes_on_as_the_original_would,
                transfer::a_load_goes_on_where_it_was_cut_off,
                transfer::a_root_that_is_there_is_not_loaded,
                transfer::an_unfinished_load_can_be_dropped,
                transfer::large_parts_come_over,
                transfer::loading_twice_is_loading_once,
                transfer::pages_keep_their_bounds,
                transfer::what_is_loaded_is_hidden_until_it_is_published,
            }
        }
    };
    (@tests $factory:expr; $($module:ident::$behaviour:ident,)*) => {
        $(#[test]
        fn $behaviour() {
            let fixture = ($factory)();
            let store: &dyn $crate::Store = ::std::convert::AsRef::<dyn $crate::Store>::as_ref(&fixture);
            $crate::battery::$module::$behaviour(store);
        })*
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_behaviour_is_in_the_table() {
        let table = include_str!("battery.rs");
        let files = [
            ("collections", include_str!("battery/collections.rs")),
            ("commits", include_str!("battery/commits.rs")),
            ("concurrent", include_str!("battery/concurrent.rs")),
            ("items", include_str!("battery/items.rs")),
            ("keys", include_str!("battery/keys.rs")),
            ("names", include_str!("battery/names.rs")),
            ("parts", include_str!("battery/parts.rs")),
            ("random", include_str!("battery/random.rs")),
            ("ranges", include_str!("battery/ranges.rs")),
            ("retention", include_str!("battery/retention.rs")),
            ("roots", include_str!("battery/roots.rs")),
            ("waiting", include_str!("battery/waiting.rs")),
            ("transfer", include_str!("battery/transfer.rs")),
        ];
        let mut found = 0;
        for (module, text) in files {
            for line in text.lines().filter_map(|line| line.strip_prefix("pub fn ")) {
                if let Some((behaviour, _)) = line.split_once("(store: &dyn Store)") {
                    found += 1;
                    assert!(table.contains(&format!(" {module}::{behaviour},")), "{module}::{behaviour} is not run");
                }
            }
        }
        assert!(found > 40);
    }
}
