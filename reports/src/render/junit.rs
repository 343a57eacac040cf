//! `junit.xml`: a test case for each claim, for build servers.
//!
//! What does not decide the exit code must not turn a build red: a claim that
//! does not gate is a success if it holds, and skipped if not.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::{
    Verdict,
    claim::{Claim, Decision},
};

use super::quantity::{interval, observed, sample};

/// A suite for each arm.
///
/// # Errors
/// If the XML cannot be written.
pub fn junit(verdict: &Verdict) -> Result<String, SerializeError> {
    let mut report = Report::new(&verdict.command);
    for of_arm in verdict.claims.chunk_by(|a, b| a.arm == b.arm) {
        let mut suite = TestSuite::new(of_arm[0].arm.as_str());
        for claim in of_arm {
            let mut case = TestCase::new(claim.id.as_str(), status(claim));
            case.set_classname(format!("{}.{}", verdict.command, claim.arm));
            case.set_system_out(said(claim));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn status(claim: &Claim) -> TestCaseStatus {
    let mut status = match (claim.verdict, claim.gating) {
        (Decision::Holds, _) => return TestCaseStatus::success(),
        (_, false) => TestCaseStatus::skipped(),
        (Decision::Refuted, true) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (Decision::Inconclusive, true) => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_type(claim.verdict.name());
    status.set_message(match &claim.reason {
        Some(reason) => format!("{}: {reason}", said(claim)),
        None => said(claim),
    });
    status
}

fn said(claim: &Claim) -> String {
    let interval = interval(claim).map_or_else(String::new, |i| format!(" {i}"));
    format!(
        "{}: {}{interval}, {}",
        claim.says,
        observed(claim),
        sample(claim)
    )
}
