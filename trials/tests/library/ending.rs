//! Ways in which a run can end, and what is left of it then: nothing, save where the docs admit it.

use crate::{Of, begin, fixture, mechanisms};

#[test]
fn a_run_after_a_killed_one_is_none_the_worse() {
    let trial = begin();
    for isolation in mechanisms() {
        for _ in 0..3 {
            let handle = fixture("sleep 100").of(&trial).isolation(isolation).start().unwrap();
            handle.kill().unwrap();
            assert_eq!(
                fixture("exit 0").of(&trial).isolation(isolation).exit_code().unwrap(),
                0,
                "{isolation:?}"
            );
        }
    }
}
