//! .

pub mod capture;
pub mod lookup;
pub mod text;
