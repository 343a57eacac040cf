//! `--mix`: what a service does beside plain reads.

use clap::Args;
use reports::run::Mix;

use super::CliError;
use crate::load::arrivals::SERVICE;

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct MixArgs {
    /// What the operations do: shares of writes, transactions, rollbacks, savepoints, hot-rows
    /// and mistakes, the rest are reads; beside=no leaves out bursts, callers that give up, and
    /// imports; plain is writes=0.2 and nothing else [default: service]
    #[arg(long, value_name = "KIND=SHARE,...")]
    mix: Option<String>,
}

const ALLOWED: &str = "service, plain, or writes, transactions, rollbacks, savepoints, \
                       hot-rows and mistakes with a share of 0 or from 0.001 to 1 each and 1 \
                       together, of mistakes at most 0.5, and beside=yes or beside=no";
/// The least share that is one: of less there is none in a minute.
const LEAST: f64 = 0.001;
/// Mistakes come eight in a row, and something has to be between.
const MISTAKES: f64 = 0.5;

impl MixArgs {
    /// The share of plain writes, and what there is beside them. What is not named is as in
    /// `service`.
    ///
    /// # Errors
    /// If a kind is not known, a share is not one, or the operations are scripts of the user's.
    pub fn read(&self, scripts: bool) -> Result<(f64, Mix), CliError> {
        let text = self.mix.as_deref().unwrap_or("service");
        let no = |allowed| CliError::Flags {
            field: "--mix",
            value: text.to_owned(),
            allowed,
        };
        if scripts {
            return match self.mix {
                Some(_) => Err(no("only without -f: scripts are all that the load does")),
                None => Ok((0.0, Mix::default())),
            };
        }
        let wrong = || no(ALLOWED);
        let (mut writes, mut mix) = SERVICE;
        for part in text.split(',') {
            if part == "plain" {
                (writes, mix) = (0.2, Mix::default());
                continue;
            }
            if part == "service" {
                (writes, mix) = SERVICE;
                continue;
            }
            let (kind, value) = part.split_once('=').ok_or_else(wrong)?;
            if kind == "beside" {
                mix.beside = match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(wrong()),
                };
                continue;
            }
            let share: f64 = value.parse().map_err(|_| wrong())?;
            let most = if kind == "mistakes" { MISTAKES } else { 1.0 };
            if share != 0.0 && !(LEAST..=most).contains(&share) {
                return Err(wrong());
            }
            *match kind {
                "writes" => &mut writes,
                "transactions" => &mut mix.transactions,
                "rollbacks" => &mut mix.rollbacks,
                "savepoints" => &mut mix.savepoints,
                "hot-rows" => &mut mix.hot_rows,
                "mistakes" => &mut mix.mistakes,
                _ => return Err(wrong()),
            } = share;
        }
        let together = writes
            + mix.transactions
            + mix.rollbacks
            + mix.savepoints
            + mix.hot_rows
            + mix.mistakes;
        // Tenths do not add up exactly.
        if together > 1.0 + 1e-9 {
            return Err(wrong());
        }
        Ok((writes, mix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(f64, Mix), CliError> {
        let mix = Some(text.to_owned());
        MixArgs { mix }.read(false)
    }

    #[test]
    fn what_is_not_named_is_as_usual() {
        let (writes, mix) = read("writes=0.5,hot-rows=0,beside=no").expect("a mix");
        assert_eq!(writes, 0.5);
        let expected = Mix {
            hot_rows: 0.0,
            beside: false,
            ..SERVICE.1
        };
        assert_eq!(mix, expected);
        assert_eq!(read("plain").expect("a mix"), (0.2, Mix::default()));
        assert_eq!(read("service").expect("a mix"), SERVICE);
        let all_writes = read("plain,writes=1").expect("a mix");
        assert_eq!(all_writes, (1.0, Mix::default()));
    }

    #[test]
    fn scripts_of_the_user_s_are_all_of_a_load() {
        let open = MixArgs { mix: None };
        assert_eq!(open.read(true).expect("no mix"), (0.0, Mix::default()));
        assert_eq!(open.read(false).expect("the usual one"), SERVICE);
        let mix = Some("plain".to_owned());
        let error = MixArgs { mix }.read(true).expect_err("both").to_string();
        assert!(
            error.contains("--mix: plain, allowed: only without -f"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_mix_is_refused_with_what_is_allowed() {
        for wrong in [
            "",
            "reads=0.1",
            "writes",
            "writes=-0.1",
            "writes=1.1",
            "mistakes=0.51",
            "hot-rows=1e-20",
            "writes=nan",
            "writes=0.9,transactions=0.2",
            "beside=maybe",
        ] {
            let error = read(wrong).expect_err(wrong).to_string();
            assert!(
                error.contains("--mix") && error.contains("hot-rows"),
                "{error}"
            );
        }
    }
}
