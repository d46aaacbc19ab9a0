//! `fill DIRECTORY MESSAGES TASKS`: fills the store of a server that does not run: messages into the inbox of its account
//! `ann@example.com`, and a list of tasks into its site `/sites/team`. Makes them where there are none.
#![expect(clippy::expect_used, reason = "a tool for measurements")]

use std::path::Path;

use bench::World;
use store_sqlite::Synchronous;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, messages, tasks] = arguments.as_slice() else { panic!("fill DIRECTORY MESSAGES TASKS") };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let world = World::open(Path::new(directory), u64::from(std::process::id()), Synchronous::Off);
    if number(messages) > 0 {
        world.create(1);
        world.copy(number(messages) - 1);
    }
    if number(tasks) > 0 {
        world.create_tasks(number(tasks));
    }
}
