//! What several experiments have in common that inject faults: claims about an arm's
//! recovery, the table of faults, and their pictures.
//!
//! What one injection came to is measured in [`crate::measure`]; here is what many of
//! them say, and how it is shown.
//!
//! - `injected`: injections with their measures
//! - `settings`: what an arm's configuration promises
//! - `recovery`, `detect`, `fail_fast`, `availability`, `no_worse`, `served`, `towards`, `no_loss`: claims
//! - `samples`: what they are measured by, number by number
//! - `finding`: what they came to, in a sentence
//! - `table`, `sentence`, `plots`: for people

pub(crate) mod availability;
pub(crate) mod detect;
pub(crate) mod fail_fast;
mod finding;
mod injected;
pub(crate) mod no_loss;
pub(crate) mod no_worse;
mod plots;
pub(crate) mod recovery;
pub(crate) mod samples;
mod sentence;
pub(crate) mod served;
pub(crate) mod settings;
mod table;
pub(crate) mod towards;

pub(crate) use finding::finding;
pub use injected::Injected;
pub(crate) use plots::{around, by_fault, goodput, sparks, summary};
pub use recovery::RECOVERY_S;
pub(crate) use table::{notes, skipped, table};
