//! The kernel made safe: floor 0 of pinfold, and the only one that holds `unsafe`.
//!
//! It spawns from an [`order::Order`] that leaves nothing to decide, names processes by handles that survive the
//! reuse of a pid, and moves bytes. It decides no policy: which container, which deadline, which signal and what a
//! failure means to a user are the business of the floors above.
#![expect(unsafe_code, reason = "this is the floor on which the kernel is made safe; each use says why it holds")]
