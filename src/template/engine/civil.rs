//! UNIX seconds as a date and time of UTC.

/// A moment, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) struct Moment {
    pub unix: i64,
    pub year: i64,
    /// 1 to 12, 1 to 31.
    pub month: usize,
    pub day: i64,
    /// 1 to 366.
    pub year_day: i64,
    /// 0 is Sunday.
    pub weekday: usize,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

pub(in crate::template) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(in crate::template) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const DAY: i64 = 86_400;
/// Days of 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;

impl Moment {
    /// Proleptic Gregorian, without leap seconds, as UNIX time counts.
    #[must_use]
    pub fn of(unix: i64) -> Self {
        let (days, clock) = (unix.div_euclid(DAY), unix.rem_euclid(DAY));
        // Counted from 1 March of year 0, so that a leap day is the last of its year.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
        let year_day = if month > 2 { day_of_year + 60 + i64::from(leap) } else { day_of_year - 305 };
        Self {
            unix,
            year,
            month: usize::try_from(month).unwrap_or(1),
            day,
            year_day,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            hour: clock / 3600,
            minute: clock / 60 % 60,
            second: clock % 60,
        }
    }

    /// The UNIX time at which a day begins; `None` when the calendar has no such day.
    #[must_use]
    pub fn unix(year: i64, month: i64, day: i64) -> Option<i64> {
        if !(-999_999..=999_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let from_march = year - i64::from(month <= 2);
        let (era, of_era) = (from_march.div_euclid(400), from_march.rem_euclid(400));
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
        let moment = Self::of(days * DAY);
        // The 31st of a short month lands in the next one.
        (moment.day == day).then_some(moment.unix)
    }

    pub fn month_name(&self) -> &'static str {
        MONTHS[(self.month - 1) % 12]
    }

    pub fn weekday_name(&self) -> &'static str {
        WEEKDAYS[self.weekday % 7]
    }

    /// The hour on a twelve-hour clock.
    pub fn hour12(&self) -> i64 {
        if self.hour % 12 == 0 { 12 } else { self.hour % 12 }
    }

    /// The week of ISO 8601 and the year that it belongs to.
    pub fn iso_week(&self) -> (i64, i64) {
        // The year of a week is the one that its Thursday lies in.
        let weekday = i64::try_from(self.weekday).unwrap_or(0);
        let to_thursday = 4 - if weekday == 0 { 7 } else { weekday };
        let thursday = Self::of(self.unix.saturating_add(to_thursday * DAY));
        (thursday.year, (thursday.year_day - 1) / 7 + 1)
    }

    /// Weeks of the year, of which the first begins at its first `first` (0: Sunday).
    pub fn week_from(&self, first: i64) -> i64 {
        let weekday = (i64::try_from(self.weekday).unwrap_or(0) - first).rem_euclid(7);
        (self.year_day - 1 + 7 - weekday) / 7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_around_the_calendars_corners() {
        let shown = |unix| {
            let m = Moment::of(unix);
            format!(
                "{}-{}-{} {} {}:{}:{} day {}",
                m.year,
                m.month,
                m.day,
                m.weekday_name(),
                m.hour,
                m.minute,
                m.second,
                m.year_day
            )
        };
        assert_eq!(shown(0), "1970-1-1 Thursday 0:0:0 day 1");
        assert_eq!(shown(-1), "1969-12-31 Wednesday 23:59:59 day 365");
        assert_eq!(shown(951_782_400), "2000-2-29 Tuesday 0:0:0 day 60");
        assert_eq!(shown(1_709_251_199), "2024-2-29 Thursday 23:59:59 day 60");
        assert_eq!(shown(1_735_689_599), "2024-12-31 Tuesday 23:59:59 day 366");
        assert_eq!(shown(4_107_542_400), "2100-3-1 Monday 0:0:0 day 60");
        assert_eq!(shown(-62_167_219_200), "0-1-1 Saturday 0:0:0 day 1");
    }

    #[test]
    fn a_day_is_found_again() {
        for unix in (-30_000..30_000).map(|day| day * DAY * 7) {
            let m = Moment::of(unix);
            assert_eq!(Moment::unix(m.year, i64::try_from(m.month).unwrap(), m.day), Some(unix));
        }
        for (year, month, day) in [(2025, 2, 29), (2026, 4, 31), (2026, 13, 1), (2026, 0, 1), (2026, 1, 0)] {
            assert_eq!(Moment::unix(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn any_second_has_a_moment() {
        for unix in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let moment = Moment::of(unix);
            assert!(
                (1..=12).contains(&moment.month)
                    && (1..=31).contains(&moment.day)
                    && (1..=366).contains(&moment.year_day)
            );
            let _ = (moment.iso_week(), moment.week_from(0));
        }
    }
}
