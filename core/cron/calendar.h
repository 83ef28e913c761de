/* The proleptic Gregorian calendar in days since 1970-01-01. Valid for the years 0 to 9999 and a little
 * beyond. Method: years that start in March, so that the leap day is the last; 146097 days are 400 years. */
#ifndef KS_CRON_CALENDAR_H
#define KS_CRON_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define DAY_SECONDS INT64_C(86400)
#define CYCLE_YEARS 400
#define CYCLE_SECONDS (INT64_C(146097) * DAY_SECONDS) /* a whole number of weeks */
#define WALL_MIN INT64_C(-62135596800)                /* 0001-01-01 00:00:00 */
#define WALL_MAX INT64_C(253402300799)                /* 9999-12-31 23:59:59 */
#define YEAR_LAST 9999

struct date {
    int year, month, day;
};

static inline bool calendar_leap(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int calendar_month_days(int year, int month) {
    return month == 2 ? 28 + calendar_leap(year) : 30 + ((month ^ (month >> 3)) & 1);
}

/* Days from 1970-01-01 to the first of the month. */
static inline int calendar_days(int year, int month) {
    unsigned y = (unsigned)(year - (month <= 2));
    unsigned shifted = (unsigned)(month > 2 ? month - 3 : month + 9);
    unsigned in_year = (153 * shifted + 2) / 5;
    return (int)(y * 365 + y / 4 - y / 100 + y / 400 + in_year) - 719468;
}

/* Cassio Neri and Lorenz Schneider, "Euclidean affine functions and their application to calendar
 * algorithms" (2022): divisions become multiplications by 2^32 / (365.25 / 4) and 2^16 / 30.6. */
static inline struct date calendar_date(int days) {
    uint32_t quarters = 4 * (uint32_t)(days + 719468) + 3;
    uint32_t century = quarters / 146097;
    uint64_t in_century = UINT64_C(2939745) * (quarters % 146097 | 3);
    uint32_t in_year = (uint32_t)in_century / 2939745 / 4;
    uint32_t in_months = 2141 * in_year + 197913;
    bool next_year = in_year >= 306; /* January and February */
    int year = (int)(100 * century + (uint32_t)(in_century >> 32)) + next_year;
    int month = (int)(in_months >> 16) - (next_year ? 12 : 0);
    return (struct date){year, month, (int)((in_months & 0xFFFF) / 2141) + 1};
}

/* 0 = Sunday. 719162 days lie between 0001-01-01, a Monday, and 1970-01-01. */
static inline unsigned calendar_weekday(int days) {
    return ((unsigned)(days + 719162) + 1) % 7;
}

static inline int calendar_floor_days(int64_t seconds) {
    int64_t shifted = seconds - WALL_MIN + 366 * DAY_SECONDS; /* positive from the year 0 on */
    return (int)((uint64_t)shifted / (uint64_t)DAY_SECONDS) - (719162 + 366);
}

#endif
