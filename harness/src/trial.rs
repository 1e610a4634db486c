//! Owns `blackstart try`: one image, sealed off, whose every dependency is played by us. Refuses to judge
//! (`scenarios::trial`) and to render (`reports::trial`).
//!
//! - [`stage`]: what the image stands on: a program of ours that holds its network, and is everybody whom it can reach
//! - [`protocol`]: what the stage is told, and tells
//! - [`stand`]: one sealed run of the image, seen from the controller; [`course`]: which runs there are
//! - [`needs`]: what is allowed; [`question`]: what the image is asked
//! - [`patient`]: a service that is well or ill as it is told, for trials of the trial

pub mod course;
pub mod needs;
pub mod patient;
pub mod protocol;
pub mod question;
pub mod stage;
pub mod stand;
