//! C's `strftime` in the C locale, at UTC.

use std::fmt::Write as _;

use super::civil::Moment;

/// Formats a moment. What is no directive stays as it stands.
pub(in crate::template) fn format(format: &str, moment: &Moment) -> String {
    let mut out = String::with_capacity(format.len() * 2);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let after = chars.clone();
        match chars.next() {
            // The modifiers ask for another locale's form, which is the same in C's.
            Some(modifier @ ('E' | 'O')) => match chars.next() {
                Some(letter) if directive(letter, moment, &mut out) => {}
                _ => {
                    out.push('%');
                    out.push(modifier);
                    chars = after;
                    chars.next();
                }
            },
            Some(letter) if directive(letter, moment, &mut out) => {}
            _ => {
                out.push('%');
                chars = after;
            }
        }
    }
    out
}

/// Writes what a directive stands for; says whether there is such a one.
fn directive(letter: char, m: &Moment, out: &mut String) -> bool {
    // Writing to a string cannot fail.
    let mut put = |text: std::fmt::Arguments<'_>| out.write_fmt(text).is_ok();
    match letter {
        'a' => put(format_args!("{}", &m.weekday_name()[..3])),
        'A' => put(format_args!("{}", m.weekday_name())),
        'b' | 'h' => put(format_args!("{}", &m.month_name()[..3])),
        'B' => put(format_args!("{}", m.month_name())),
        'C' => put(format_args!("{:02}", m.year.div_euclid(100))),
        'd' => put(format_args!("{:02}", m.day)),
        'e' => put(format_args!("{:2}", m.day)),
        'f' => put(format_args!("000000")),
        'g' => put(format_args!("{:02}", m.iso_week().0.rem_euclid(100))),
        'G' => put(format_args!("{}", m.iso_week().0)),
        'H' => put(format_args!("{:02}", m.hour)),
        'I' => put(format_args!("{:02}", m.hour12())),
        'j' => put(format_args!("{:03}", m.year_day)),
        'k' => put(format_args!("{:2}", m.hour)),
        'l' => put(format_args!("{:2}", m.hour12())),
        'L' => put(format_args!("000")),
        'm' => put(format_args!("{:02}", m.month)),
        'M' => put(format_args!("{:02}", m.minute)),
        'n' => put(format_args!("\n")),
        'p' => put(format_args!("{}", if m.hour >= 12 { "PM" } else { "AM" })),
        'P' => put(format_args!("{}", if m.hour >= 12 { "pm" } else { "am" })),
        's' => put(format_args!("{}", m.unix)),
        'S' => put(format_args!("{:02}", m.second)),
        't' => put(format_args!("\t")),
        'u' => put(format_args!("{}", if m.weekday == 0 { 7 } else { m.weekday })),
        'U' => put(format_args!("{:02}", m.week_from(0))),
        'V' => put(format_args!("{:02}", m.iso_week().1)),
        'w' => put(format_args!("{}", m.weekday)),
        'W' => put(format_args!("{:02}", m.week_from(1))),
        'y' => put(format_args!("{:02}", m.year.rem_euclid(100))),
        'Y' => put(format_args!("{}", m.year)),
        'z' => put(format_args!("+0000")),
        'Z' => put(format_args!("UTC")),
        '%' => put(format_args!("%")),
        'c' => all("abeHMSY", "{} {} {} {}:{}:{} {}", m, out),
        'D' | 'x' => all("mdy", "{}/{}/{}", m, out),
        'F' => all("Ymd", "{}-{}-{}", m, out),
        'r' => all("IMSp", "{}:{}:{} {}", m, out),
        'R' => all("HM", "{}:{}", m, out),
        'T' | 'X' => all("HMS", "{}:{}:{}", m, out),
        'v' => all("ebY", "{}-{}-{}", m, out),
        '+' => all("abeHMSpZY", "{} {} {} {}:{}:{} {} {} {}", m, out),
        _ => false,
    }
}

/// Directives at the places of a pattern.
fn all(letters: &str, pattern: &str, m: &Moment, out: &mut String) -> bool {
    let mut letters = letters.chars();
    let mut parts = pattern.split("{}");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        if let Some(letter) = letters.next() {
            directive(letter, m, out);
        }
        out.push_str(part);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix: i64, text: &str) -> String {
        format(text, &Moment::of(unix))
    }

    #[test]
    fn every_directive_stands_for_its_part() {
        // Sunday 5 July 2026, 15:04:09; expected values are those of date(1) with LC_ALL=C and TZ=UTC.
        for (text, expected) in [
            ("%a %A %b %B %h", "Sun Sunday Jul July Jul"),
            ("%C %d %e %g %G %H %I %j", "20 05  5 26 2026 15 03 186"),
            ("%k %l %m %M %p %P %s %S", "15  3 07 04 PM pm 1783263849 09"),
            ("%u %U %V %w %W %y %Y %z %Z %%", "7 27 27 0 26 26 2026 +0000 UTC %"),
            ("%c", "Sun Jul  5 15:04:09 2026"),
            ("%D %F %r %R %T %x %X", "07/05/26 2026-07-05 03:04:09 PM 15:04 15:04:09 07/05/26 15:04:09"),
            ("%n%t", "\n\t"),
            ("%Ey %Od", "26 05"),
            ("%Y%m%d-%H%M%S", "20260705-150409"),
        ] {
            assert_eq!(at(1_783_263_849, text), expected, "{text}");
        }
    }

    #[test]
    fn weeks_at_the_turn_of_the_year_are_those_of_date() {
        assert_eq!(at(1_735_689_600, "%F %U %W %V %G"), "2025-01-01 00 00 01 2025");
        assert_eq!(at(1_609_459_200, "%F %U %W %V %G"), "2021-01-01 00 00 53 2020");
        assert_eq!(at(1_735_603_200, "%F %U %W %V %G"), "2024-12-31 52 53 01 2025");
    }

    #[test]
    fn what_is_no_directive_stays() {
        assert_eq!(at(0, "100% %Q %E %"), "100% %Q %E %");
    }
}
