//! Collects findings.

use std::fmt;

use super::checker::Checker;
use super::path::Path;
use super::{Finding, Severity};

impl Checker<'_, '_, '_> {
    pub(super) fn must(
        &mut self,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        self.add(Severity::Must, path, code, section, message);
    }

    pub(super) fn should(
        &mut self,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        if self.options.warnings {
            self.add(Severity::Should, path, code, section, message);
        }
    }

    #[cold]
    fn add(
        &mut self,
        severity: Severity,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        if self.report.findings.len() >= self.options.findings_max {
            self.report.truncated = true;
            if severity == Severity::Should || self.warnings == 0 {
                return;
            }
            // A refusal is never lost to a page of warnings before it.
            let warning = self.report.findings.iter().rposition(|f| f.severity == Severity::Should);
            if let Some(at) = warning {
                self.report.findings.remove(at);
            }
            self.warnings -= 1;
        }
        self.warnings += usize::from(severity == Severity::Should);
        let mut pointer = String::new();
        path.pointer(&mut pointer);
        let message = message.to_string();
        self.report.findings.push(Finding { severity, code, pointer, section, message });
    }

    /// Reports what says nothing: a warning inside a property that the standard does not define.
    pub(super) fn void(
        &mut self,
        path: &Path<'_>,
        code: &'static str,
        section: &'static str,
        message: fmt::Arguments<'_>,
    ) {
        if self.carried {
            self.should(path, code, section, message);
        } else {
            self.must(path, code, section, message);
        }
    }
}
