//! .

pub mod capture;
pub mod text;
