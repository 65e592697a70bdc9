//! Saved results as one document.

use anyhow::{Result, bail, ensure};
use serde_json::json;

use super::names::{Run, of_files, of_runs};
use super::{Saved, runs};
use crate::lang::t;
use crate::report::csv::Records;
use crate::report::doc::{Block, Doc, Part};
use crate::report::format::Format;
use crate::report::style::Style;
use crate::report::view::View;
use crate::terminal::printable;

/// Saved results, each with the name of its file.
pub struct Several(Vec<(String, Saved)>);

impl Several {
    /// Results to be drawn together in one format.
    ///
    /// # Errors
    /// If the format cannot hold them; the error names a file.
    pub fn new(saved: Vec<(String, Saved)>, format: Format) -> Result<Several> {
        if let [first, .., _] = saved.as_slice() {
            ensure!(
                format != Format::Json,
                t!("--format json is for one result: the files are JSON already")
            );
            let is_own = |(_, saved): &&(String, Saved)| matches!(saved, Saved::Inspection(_));
            if let (Format::Table | Format::Html, Some((file, _))) = (format, saved.iter().find(is_own)) {
                bail!(t!(
                    "%{file} is an inspection, which is drawn alone; --format markdown and csv hold several",
                    file = file
                ));
            }
            let is_other = |(_, saved): &&(String, Saved)| saved.kind() != first.1.kind();
            if let (Format::Csv, Some((file, other))) = (format, saved.iter().find(is_other)) {
                bail!(t!(
                    "--format csv is for results of one kind: %{first} is %{kind}, %{file} is %{kind2}",
                    first = first.0,
                    kind = first.1.kind(),
                    file = file,
                    kind2 = other.kind()
                ));
            }
        }
        Ok(Several(saved))
    }

    /// All of them, if they are runs.
    fn runs(&self) -> Option<Vec<Run<'_>>> {
        let runs = self.0.iter().map(|(file, saved)| match saved {
            Saved::Run(report) => Some(Run { file, report }),
            _ => None,
        });
        runs.collect()
    }

    fn names(&self) -> Vec<String> {
        match self.runs() {
            Some(runs) => of_runs(&runs),
            None => of_files(&self.0.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>()),
        }
    }
}

impl View for Several {
    fn doc(&self) -> Doc {
        if let [(_, only)] = self.0.as_slice() {
            return only.view().doc();
        }
        let (names, n) = (self.names(), self.0.len());
        let joined = names.join(", ");
        let mut blocks = Vec::new();
        let headline = match self.runs() {
            Some(runs) => {
                blocks.extend(runs::tables(&runs).into_iter().map(Block::Table));
                blocks.push(Block::legend(t!(
                    "After a figure: how much more or less than the first run's it is, in ms, or how many times that."
                )));
                blocks.extend(runs::pictures(&runs).into_iter().map(Block::Chart));
                t!("%{n} runs side by side: %{names}", n = n, names = joined)
            }
            None => t!(
                "%{n} results, one after the other: %{names}",
                n = n,
                names = joined
            ),
        };
        blocks.insert(0, Block::Scenario(headline.clone()));
        let part = |(name, (file, saved)): (String, &(String, Saved))| Part {
            name,
            file: printable(file),
            doc: saved.view().doc(),
        };
        let parts: Vec<Part> = names.into_iter().zip(&self.0).map(part).collect();
        let brand = parts.first().map(|part| part.doc.brand.clone());
        Doc {
            title: headline.clone(),
            brand: brand.unwrap_or_default(),
            headline,
            blocks,
            parts,
            ..Doc::default()
        }
    }

    /// The rows of all results; the first column names the result.
    fn records(&self) -> Result<Records> {
        if let [(_, only)] = self.0.as_slice() {
            return only.view().records();
        }
        let mut all = Records::default();
        for (name, (_, saved)) in self.names().into_iter().zip(&self.0) {
            let records = saved.view().records()?;
            all.paths = [&["run"], records.paths.as_slice()].concat();
            all.rows.extend(records.rows.into_iter().map(|mut row| {
                row["run"] = json!(name);
                row
            }));
        }
        Ok(all)
    }

    fn own(&self, format: Format, style: &Style) -> Option<Result<String>> {
        match self.0.as_slice() {
            [(_, only)] => only.view().own(format, style),
            _ => None,
        }
    }

    fn events(&self) -> Result<Records> {
        match self.0.as_slice() {
            [(_, only)] => only.view().events(),
            _ => bail!(t!("--events is for one result: name one file")),
        }
    }

    fn json(&self) -> Result<String> {
        match self.0.as_slice() {
            [(_, only)] => only.view().json(),
            _ => bail!(t!("json cannot hold several results")),
        }
    }
}
