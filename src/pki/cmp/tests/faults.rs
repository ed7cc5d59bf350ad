//! What goes wrong between client and endpoint: nothing is lost, and nothing issued twice.

use super::world::World;

#[test]
fn placeholder() {
    let _ = World::by_secret();
}
