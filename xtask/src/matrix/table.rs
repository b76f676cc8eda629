//! The README's table: a row for each release, a column for each way to connect.

use std::collections::BTreeMap;

/// What a table says of one release.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// The release with its version.
    name: String,
    /// When a cell was last written.
    date: String,
    /// By their columns' names.
    cells: BTreeMap<String, String>,
}

/// Rows in the order of the releases.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table(Vec<Row>);

impl Table {
    /// Reads what [`Table::markdown`] wrote, perhaps with other columns.
    pub(super) fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let columns: Vec<_> = lines.next().map(cells).into_iter().flatten().skip(2).collect();
        let row = |line| {
            let mut cells = cells(line);
            let (name, date) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
            Row { name, date, cells: columns.iter().cloned().zip(cells).collect() }
        };
        Self(lines.skip(1).map(row).collect())
    }

    /// Writes some cells of a release, whose row begins with its first word.
    pub(super) fn set(&mut self, name: &str, date: &str, cells: &[(&str, String)]) {
        let release = |row: &Row| row.name.split(' ').next().map(str::to_owned);
        let mut row = Row { name: name.to_owned(), date: date.to_owned(), cells: BTreeMap::new() };
        if let Some(at) = self.0.iter().position(|old| release(old) == release(&row)) {
            row.cells = self.0.remove(at).cells;
        }
        row.cells.extend(cells.iter().map(|(column, cell)| ((*column).to_owned(), cell.clone())));
        self.0.push(row);
        self.0.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// The table with these columns; Ceph's releases are in the order of the alphabet.
    pub(super) fn markdown(&self, columns: &[&str]) -> String {
        let head =
            format!("| Ceph | run on | {} |\n{}|\n", columns.join(" | "), "|---".repeat(columns.len() + 2));
        let rows = self.0.iter().map(|row| {
            let cell = |column: &&str| row.cells.get(*column).map_or("", String::as_str);
            let cells: Vec<_> = columns.iter().map(cell).collect();
            format!("| {} | {} | {} |\n", row.name, row.date, cells.join(" | "))
        });
        head + &rows.collect::<String>()
    }
}

fn cells(line: &str) -> impl Iterator<Item = String> + '_ {
    let line = line.strip_prefix('|').unwrap_or(line);
    line.strip_suffix('|').unwrap_or(line).split('|').map(|cell| cell.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_added_and_the_others_stay() {
        let mut table = Table::read(
            "| Ceph | run on | crc | secure |\n|---|---|---|---|\n| Tentacle 20.2.4 | 2026-11-23 | 79 pass | 78 pass |\n",
        );
        table.set("Reef 18.2.7", "2026-11-24", &[("v1", "70 pass".to_owned())]);
        table.set("Tentacle 20.2.5", "2026-11-24", &[("secure", "79 pass".to_owned())]);
        let text = "\
            | Ceph | run on | crc | secure | v1 |\n\
            |---|---|---|---|---|\n\
            | Reef 18.2.7 | 2026-11-24 |  |  | 70 pass |\n\
            | Tentacle 20.2.5 | 2026-11-24 | 79 pass | 79 pass |  |\n";
        assert_eq!(table.markdown(&["crc", "secure", "v1"]), text);
        assert_eq!(Table::read(text).markdown(&["crc", "secure", "v1"]), text);
    }
}
