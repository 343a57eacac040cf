//! How long it takes to read, judge and draw a record of a million operations, and how much
//! memory.
//!
//! Makes such a record of one of a real run: every operation comes as often as it takes, at
//! the moment at which it came, of a load that is as many times its rate.
//!
//! `cargo run -p reports --example million -- RECORD.json [OPERATIONS]`

use std::{error::Error, fs, path::Path, time::Duration};

use reports::{Record, judge, write};
use serde_json::Value;

/// Monotonic seconds and memory at a moment, as the kernel knows them.
fn now() -> Result<(Duration, u64), Box<dyn Error>> {
    let uptime = fs::read_to_string("/proc/uptime")?;
    let s: f64 = uptime.split(' ').next().ok_or("no uptime")?.parse()?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = peak.and_then(|peak| peak.trim().split(' ').next());
    Ok((Duration::from_secs_f64(s), kb.ok_or("no VmHWM")?.parse()?))
}

/// Counts the operations of a record.
fn operations(value: &Value) -> usize {
    match value {
        Value::Object(fields) => match fields.get("latencies_us").and_then(Value::as_array) {
            Some(latencies) => latencies.len(),
            None => fields.values().map(operations).sum(),
        },
        Value::Array(all) => all.iter().map(operations).sum(),
        _ => 0,
    }
}

/// Repeats every operation, and multiplies what a load is given.
fn multiply(value: &mut Value, by: usize) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match (&**name, &mut *field) {
                    ("kinds" | "outcomes", Value::String(letters)) => {
                        let many = letters.chars().flat_map(|c| std::iter::repeat_n(c, by));
                        *letters = many.collect();
                    }
                    ("latencies_us" | "lags_us" | "due_us", Value::Array(all)) => {
                        let each = std::mem::take(all).into_iter();
                        all.extend(each.flat_map(|value| std::iter::repeat_n(value, by)));
                    }
                    ("rate_per_s" | "max_in_flight", Value::Number(n)) => {
                        *n = (n.as_u64().unwrap_or(1) * by as u64).into();
                    }
                    _ => multiply(field, by),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| multiply(value, by)),
        _ => {}
    }
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn measure(path: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let (begin, before) = now()?;
    let record = Record::load(path)?;
    let (loaded, _) = now()?;
    let report = judge(&record);
    let (judged, _) = now()?;
    write(&report, to)?;
    let (written, peak) = now()?;
    let saved = to.join("record.json");
    record.save(&saved)?;
    let (end, save_peak) = now()?;
    println!(
        "load {:.2?}, judge {:.2?}, write {:.2?}: {:.2?}; save {:.2?}",
        loaded - begin,
        judged - loaded,
        written - judged,
        written - begin,
        end - written
    );
    println!(
        "peak {} MB after report ({} before), {} MB after save; record.json {} MB",
        peak / 1024,
        before / 1024,
        save_peak / 1024,
        fs::metadata(saved)?.len() / 1_000_000
    );
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let path = args
        .next()
        .ok_or("usage: million RECORD.json [OPERATIONS]")?;
    let wanted = match args.next() {
        Some(word) if word == "--measure" => {
            let to = args.next().ok_or("a folder")?;
            return measure(Path::new(&path), Path::new(&to));
        }
        Some(word) => word.to_string_lossy().parse()?,
        None => 1_000_000,
    };
    let mut record: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let there = operations(&record).max(1);
    multiply(&mut record, usize::div_ceil(wanted, there));
    let folder = std::env::temp_dir().join(format!("million-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let large = folder.join("large.json");
    println!("{} operations", operations(&record));
    fs::write(&large, serde_json::to_vec(&record)?)?;
    // Another process: what this one needed to make it is not to be measured.
    let measured = std::process::Command::new(std::env::current_exe()?)
        .arg(&large)
        .arg("--measure")
        .arg(folder.join("report"))
        .status()?;
    fs::remove_dir_all(&folder)?;
    if measured.success() {
        Ok(())
    } else {
        Err("it could not be measured".into())
    }
}
