//! Images of well-known owners: what the filters of real templates look for.

use super::account::{PUBLIC, Region};
use super::image::{Device, Ebs, Image};
use super::snapshot::Snapshot;
use super::{Time, id};

static TEXT: &str = include_str!("catalog.txt");

/// One line of the list.
struct Entry<'a> {
    owner: &'a str,
    alias: &'a str,
    login: &'a str,
    root: &'a str,
    architecture: &'a str,
    system: &'a str,
    size: i64,
    date: &'a str,
    id: &'a str,
    name: &'a str,
}

fn entries() -> impl Iterator<Item = Entry<'static>> {
    TEXT.lines().filter(|l| !l.starts_with('#')).filter_map(|line| {
        let mut words = line.splitn(10, ' ');
        let mut next = || words.next();
        Some(Entry {
            owner: next()?,
            alias: next()?,
            login: next()?,
            root: next()?,
            architecture: next()?,
            system: next()?,
            size: next()?.parse().ok()?,
            date: next()?,
            id: next()?,
            name: next()?,
        })
    })
}

/// Noon of a day written `20260131`.
fn noon(date: &str) -> Time {
    let part = |from, to| date.get(from..to).and_then(|p: &str| p.parse::<i8>().ok());
    let year = date.get(..4).and_then(|y| y.parse().ok());
    let day = year.zip(part(4, 6)).zip(part(6, 8)).and_then(|((y, m), d)| jiff::civil::Date::new(y, m, d).ok());
    let time = day.and_then(|d| d.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok());
    time.map_or(0, |t| t.timestamp().as_millisecond())
}

/// Puts the list into a region of the public account.
pub fn stock(region: &mut Region) {
    for entry in entries() {
        let parts: [&[u8]; 3] = [b"public", region.name.as_bytes(), entry.name.as_bytes()];
        let id = if entry.id == "-" { id::id("ami", &parts) } else { entry.id.to_owned() };
        let (image, snapshot) = public_image(&id, &id::id("snap", &parts), &entry);
        region.snapshots.insert(snapshot.id.clone(), snapshot);
        region.images.insert(id, image);
    }
}

fn public_image(id: &str, snapshot: &str, entry: &Entry<'_>) -> (Image, Snapshot) {
    let windows = entry.system == "windows";
    let made = noon(entry.date);
    let ebs = Ebs {
        snapshot: Some(snapshot.to_owned()),
        size: entry.size,
        volume_type: if entry.name.contains("gp3") || entry.name.contains("al2023") { "gp3" } else { "gp2" }.to_owned(),
        delete_on_termination: true,
        ..Ebs::default()
    };
    let mut devices = vec![Device { name: entry.root.to_owned(), virtual_name: None, ebs: Some(ebs) }];
    if entry.owner == "099720109477" {
        for (name, ephemeral) in [("/dev/sdb", "ephemeral0"), ("/dev/sdc", "ephemeral1")] {
            devices.push(Device { name: name.to_owned(), virtual_name: Some(ephemeral.to_owned()), ebs: None });
        }
    }
    let image = Image {
        id: id.to_owned(),
        name: entry.name.to_owned(),
        description: format!("{} (practice)", entry.name),
        owner: entry.owner.to_owned(),
        owner_alias: Some(entry.alias.to_owned()).filter(|a| a != "-"),
        made,
        due: made,
        architecture: entry.architecture.to_owned(),
        root_device: entry.root.to_owned(),
        devices,
        virtualization: "hvm".to_owned(),
        ena: true,
        sriov: true,
        platform: windows.then(|| "Windows".to_owned()),
        platform_details: if windows { "Windows" } else { "Linux/UNIX" }.to_owned(),
        boot_mode: Some(if entry.architecture == "arm64" { "uefi" } else { "uefi-preferred" }.to_owned()),
        imds: entry.name.starts_with("al2023").then(|| "v2.0".to_owned()),
        public: true,
        protection: "disabled".to_owned(),
        login_user: entry.login.to_owned(),
        ..Image::default()
    };
    let snapshot = Snapshot {
        id: snapshot.to_owned(),
        volume: "vol-ffffffff".to_owned(),
        size: entry.size,
        started: made,
        due: made,
        description: format!("Created for {id}"),
        owner: entry.owner.to_owned(),
        // Theirs are not listed: they can be used by those who know them.
        users: Vec::new(),
        ..Snapshot::default()
    };
    (image, snapshot)
}

/// The listed image that is nearest to what is told of another: by architecture and system, then by common words, then the
/// newest.
pub fn nearest<'a>(region: &'a Region, hint: &str, owners: &[String], architecture: Option<&str>) -> Option<&'a Image> {
    let hint = hint.to_lowercase();
    let words: Vec<&str> = hint.split(|c: char| !c.is_alphanumeric() && c != '.').filter(|w| w.len() > 1).collect();
    let score = |i: &Image| {
        let name = i.name.to_lowercase();
        let common = words.iter().filter(|w| name.contains(**w)).count();
        let owner = owners.iter().any(|o| *o == i.owner || i.owner_alias.as_ref() == Some(o));
        let fits = architecture.is_none_or(|a| a == i.architecture) && (i.is_windows() == hint.contains("windows"));
        let plain = name.contains("-server-") || name.contains("al2023-ami-2023");
        (fits, owner, common, plain && i.architecture == "x86_64", i.made, i.id.clone())
    };
    region.images.values().filter(|i| i.owner != PUBLIC).max_by_key(|i| score(i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_image_and_names_are_unique() {
        let lines = TEXT.lines().filter(|l| !l.starts_with('#')).count();
        let region = Region::new(PUBLIC, "us-east-1", 0);
        assert_eq!((entries().count(), region.images.len()), (lines, lines));
        assert!(entries().all(|e| noon(e.date) > 0 && e.owner.len() == 12));
        let mut names: Vec<_> = entries().map(|e| e.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), lines);
    }

    #[test]
    fn the_nearest_is_of_the_same_family() {
        let region = Region::new(PUBLIC, "us-east-1", 0);
        let near = |hint: &str, architecture| nearest(&region, hint, &[], architecture).unwrap().name.clone();
        assert!(near("ubuntu/images/*ubuntu-impish-21.10-amd64-server-*", None).contains("-amd64-server-"));
        assert!(near("my-debian-12-base-*", None).starts_with("debian-12"));
        assert!(near("Windows_Server-2012-R2*", None).starts_with("Windows"));
        assert!(near("*", Some("arm64")).contains("arm64"));
    }
}
