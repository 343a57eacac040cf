//! How large a batch is to be.

use std::collections::BTreeMap;

use super::{
    Choice, Data, Missing,
    contention::{Contender, possible},
};
use crate::{
    claim::Noun,
    experiments::batch_sweep::{
        self, ClassFinding, Findings, Mode, Recommendation, SHARE, Share, sent, shares, speed,
    },
    numbers::times,
    run::Run,
};

/// What was found of batch sizes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BatchFinding {
    pub(super) coarse: Findings,
    pub(super) refined: Option<Findings>,
    pub(super) classes: Vec<OfClass>,
}

/// What was found of a class.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OfClass {
    pub(super) name: String,
    /// What to ship, by the second run, or by the first where there is no second.
    pub(super) recommended: Option<Recommendation>,
    /// Whether that is by the second run.
    pub(super) confirmed: bool,
    /// What the first run recommended.
    pub(super) first: Option<u32>,
    /// Every size that the recommended one may be.
    possible: Vec<u32>,
    /// The sizes of the run that decides, and of the first one those that it does not have.
    shares: Vec<Share>,
    /// What part of the best the size of the first run reached in the second.
    pub(super) again: Option<Share>,
    /// Rounds of the condition that has fewest.
    rounds: usize,
    /// The least and the greatest lower bound, over conditions, of how much faster it is.
    gains: Gains,
}

/// Whether a class gains by a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gains {
    Surely,
    Perhaps,
    No,
}

const SIZES: Noun = Noun::new("size", "sizes");
const ROUNDS: Noun = Noun::new("round", "rounds");
const CONDITIONS: Noun = Noun::new("condition", "conditions");

impl OfClass {
    /// Whether its queries are faster in batches under every condition.
    pub(super) fn gains(&self) -> bool {
        self.recommended.as_ref().is_some_and(pays)
    }
}

fn pays(recommended: &Recommendation) -> bool {
    recommended.slowest > 1.0
}

/// Finds it.
pub(super) fn find(run: &Run, data: &Data) -> BatchFinding {
    let coarse = batch_sweep::find(run, &data.batch.coarse);
    let refined = data.batch.refined.as_ref();
    let refined = refined.map(|refined| batch_sweep::find(run, refined));
    let classes = coarse.classes.iter().map(|first| {
        let refined = refined.as_ref();
        let again = refined.and_then(|found| {
            let class = found.classes.iter().find(|c| c.name == first.name)?;
            class.recommended.is_some().then_some((found, class))
        });
        of_class(&coarse, first, again)
    });
    BatchFinding {
        classes: classes.collect(),
        refined,
        coarse,
    }
}

fn of_class(
    coarse: &Findings,
    first: &ClassFinding,
    again: Option<(&Findings, &ClassFinding)>,
) -> OfClass {
    let (findings, class) = again.unwrap_or((coarse, first));
    let mut all = shares(findings, class);
    let contenders = all.iter().map(|of| Contender::of(of.batch, &of.rounds));
    let possible = possible(&contenders.collect::<Vec<_>>(), SHARE);
    let recommended_first = first.recommended.as_ref().map(|r| r.batch);
    let of_first = all.iter().find(|of| Some(of.batch) == recommended_first);
    let of_first = again.and(of_first.cloned());
    for share in shares(coarse, first) {
        if all.iter().all(|of| of.batch != share.batch) {
            all.push(share);
        }
    }
    all.sort_by_key(|of| of.batch);
    OfClass {
        name: first.name.clone(),
        recommended: class.recommended.clone(),
        confirmed: again.is_some(),
        first: recommended_first,
        possible,
        shares: all,
        again: of_first,
        rounds: findings
            .of_class(&class.name)
            .map(|c| c.rounds)
            .min()
            .unwrap_or(0),
        gains: gains(findings, class),
    }
}

fn gains(findings: &Findings, class: &ClassFinding) -> Gains {
    let Some(recommended) = &class.recommended else {
        return Gains::No;
    };
    let size = batch_sweep::Size::Fixed(recommended.batch);
    let cells = findings.of_class(&class.name).filter_map(|condition| {
        let curve = condition.curve(recommended.mode)?;
        curve.cell(size)
    });
    let bounds: Vec<(f64, f64)> = cells
        .map(|cell| {
            let of = Contender::of(recommended.batch, &cell.speedup);
            (of.low.unwrap_or(0.0), of.high.unwrap_or(f64::MAX))
        })
        .collect();
    if bounds.iter().all(|(low, _)| *low > 1.0) {
        Gains::Surely
    } else if bounds.iter().any(|(_, high)| *high <= 1.0) {
        Gains::No
    } else {
        Gains::Perhaps
    }
}

/// The sizes of each class that are worth more rounds, and the mode that it would be sent in:
/// half of them, which are the recommended one, the one below it, and of the others those that
/// reach most of the best.
#[must_use]
pub fn better_half(run: &Run, coarse: &batch_sweep::Data) -> BTreeMap<String, (Mode, Vec<u32>)> {
    let findings = batch_sweep::find(run, coarse);
    let classes = findings.classes.iter().filter_map(|class| {
        let all = shares(&findings, class);
        let chosen = class.recommended.as_ref()?.batch;
        let below = all
            .iter()
            .map(|of| of.batch)
            .filter(|of| *of < chosen)
            .max();
        let mut by_share: Vec<&Share> = all.iter().collect();
        by_share.sort_by(|a, b| b.least.total_cmp(&a.least));
        let mut order = vec![chosen];
        for of in below.into_iter().chain(by_share.iter().map(|of| of.batch)) {
            if !order.contains(&of) {
                order.push(of);
            }
        }
        order.truncate(all.len().div_ceil(2).max(2));
        order.sort_unstable();
        Some((class.name.clone(), (class.mode?, order)))
    });
    classes.collect()
}

/// The settings, or what is missing.
pub(super) fn choices(data: &Data, found: &BatchFinding) -> (Vec<Choice>, Vec<Missing>) {
    if data.batch.coarse.classes.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let measured = || found.classes.iter().filter(|c| c.recommended.is_some());
    if measured().next().is_none() {
        let names: Vec<&str> = found.classes.iter().map(|c| &*c.name).collect();
        let missing = Missing {
            key: "enable_pipelining".to_owned(),
            reason: format!(
                "no batch size was measured under every condition of {}",
                names.join(", ")
            ),
        };
        return (Vec::new(), vec![missing]);
    }
    let on = measured().any(OfClass::gains);
    let mut choices = vec![enabled(found, on)];
    choices.extend(size(found).filter(|_| on));
    (choices, Vec::new())
}

fn enabled(found: &BatchFinding, on: bool) -> Choice {
    let each = found.classes.iter().map(|class| match &class.recommended {
        Some(recommended) => format!(
            "{} {} ({} a batch, at least {} of {})",
            class.name,
            speed(recommended),
            recommended.batch,
            ROUNDS.of(class.rounds),
            CONDITIONS.of(recommended.conditions)
        ),
        None => format!("{} was not measured", class.name),
    });
    let evidence = format!(
        "times the speed of a bare client one at a time: {}",
        each.collect::<Vec<_>>().join("; ")
    );
    let all = || found.classes.iter();
    let sure = all().any(|class| class.gains == Gains::Surely);
    let perhaps = all().any(|class| class.gains == Gains::Perhaps);
    let least = all().filter_map(|c| Some(c.recommended.as_ref()?.slowest));
    let least = least.fold(f64::MAX, f64::min);
    let most = all().filter_map(|c| Some(c.recommended.as_ref()?.fastest));
    let most = most.fold(0.0, f64::max);
    let if_wrong = match (on, least > 1.0) {
        (true, true) => format!(
            "left off, {} to {} is given away; on, no condition was slower than one at a time",
            times(least),
            times(most)
        ),
        (true, false) => format!(
            "on for every class, the slowest condition runs at {}; left off, up to {} is given away",
            times(least),
            times(most)
        ),
        (false, _) => format!("left off, up to {} is given away", times(most)),
    };
    Choice {
        key: "enable_pipelining".to_owned(),
        value: on.to_string(),
        evidence,
        if_wrong,
        close: if on == sure && (on || !perhaps) {
            Vec::new()
        } else {
            vec![(!on).to_string()]
        },
    }
}

/// The smallest size of the classes that gain.
fn size(found: &BatchFinding) -> Option<Choice> {
    let gaining: Vec<(&OfClass, &Recommendation)> = found
        .classes
        .iter()
        .filter(|class| class.gains())
        .filter_map(|class| Some((class, class.recommended.as_ref()?)))
        .collect();
    let (class, recommended) = gaining.iter().min_by_key(|(_, of)| of.batch)?;
    // The smallest is no larger than what any of them is at the most.
    let most = gaining
        .iter()
        .filter_map(|(of, _)| of.possible.iter().max());
    let most = most.min().copied().unwrap_or(recommended.batch);
    let all = gaining.iter().flat_map(|(of, _)| &of.possible);
    let mut close: Vec<u32> = all
        .copied()
        .filter(|of| *of <= most && *of != recommended.batch)
        .collect();
    close.sort_unstable();
    close.dedup();
    let run = if class.confirmed {
        "on a fresh seed"
    } else {
        "in one run, not confirmed on a fresh seed"
    };
    let chosen = class.shares.iter().find(|of| of.batch == recommended.batch);
    let share = chosen.map_or_else(String::new, of_best);
    let evidence = format!(
        "the smallest of the {} recommended for {}: {}, {}{share}, {run}",
        SIZES.of(gaining.len()),
        gaining
            .iter()
            .map(|(class, of)| format!("{} ({})", class.name, of.batch))
            .collect::<Vec<_>>()
            .join(", "),
        class.name,
        recommended.reason,
    );
    Some(Choice {
        key: "pipeline_batch_size".to_owned(),
        value: recommended.batch.to_string(),
        evidence,
        if_wrong: beside(class, recommended.batch),
        close: close.iter().map(u32::to_string).collect(),
    })
}

/// `; 0.93 [0.88, 0.97] of the best, n = 12`.
fn of_best(share: &Share) -> String {
    let interval = share.rounds.low.zip(share.rounds.high);
    let interval =
        interval.map_or_else(String::new, |(low, high)| format!(" [{low:.2}, {high:.2}]"));
    format!(
        "; {:.2}{interval} of the best, n = {}",
        share.least,
        share.rounds.n()
    )
}

/// What the next smaller and the next larger size do.
fn beside(class: &OfClass, batch: u32) -> String {
    let smaller = class.shares.iter().rev().find(|of| of.batch < batch);
    let larger = class.shares.iter().find(|of| of.batch > batch);
    let said = |of: &Share| format!("{} a batch reaches {:.2} of the best", of.batch, of.least);
    let each: Vec<String> = [smaller, larger].into_iter().flatten().map(said).collect();
    match each.as_slice() {
        [] => format!("no other size of {} was measured", class.name),
        each => format!("{}: {}", class.name, each.join(", ")),
    }
}

/// What each class is to be sent with, as comments of the block.
pub(super) fn by_class(data: &Data, found: &BatchFinding) -> Vec<String> {
    let mut lines = Vec::new();
    for class in &found.classes {
        lines.push(match &class.recommended {
            Some(of) if pays(of) => {
                let open = class.possible.iter().filter(|n| **n != of.batch);
                let open: Vec<String> = open.map(u32::to_string).collect();
                let close = match open.is_empty() {
                    true => String::new(),
                    false => format!(" (too close to tell: {})", open.join(", ")),
                };
                format!(
                    "{}: {} a batch{close}, {}, {} the speed of one at a time",
                    class.name,
                    of.batch,
                    sent(of.mode),
                    speed(of)
                )
            }
            Some(of) => format!(
                "{}: leave the pipeline off, at {} it is {} the speed of one at a time",
                class.name,
                of.batch,
                speed(of)
            ),
            None => format!(
                "{}: not measured well enough under every condition",
                class.name
            ),
        });
        let builder = class.recommended.as_ref().filter(|of| pays(of));
        let builder = builder.and_then(|of| of.builder.as_ref());
        lines.extend(
            builder
                .into_iter()
                .flat_map(|b| b.lines())
                .map(|line| format!("    {line}")),
        );
    }
    lines.extend(data.batch.unmeasured.iter().map(|of| {
        format!(
            "{}: not measured: {}; leave the pipeline off for it",
            of.script, of.reason
        )
    }));
    lines
}
