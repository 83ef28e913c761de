#include "base/rfc3339.h"

#include "base/err.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Whether the text begins like the pattern: # is a digit, T one of "Tt ", any other itself. */
static bool begins(const char *text, const char *pattern) {
    for (; *pattern; text++, pattern++) {
        bool fits = *pattern == '#'   ? is_digit(*text)
                    : *pattern == 'T' ? *text == 'T' || *text == 't' || *text == ' '
                                      : *text == *pattern;
        if (!fits)
            return false;
    }
    return true;
}

static int number(const char *digits, size_t count) {
    int n = 0;
    for (size_t i = 0; i < count; i++)
        n = n * 10 + (digits[i] - '0');
    return n;
}

static bool in_calendar(const struct tm *tm) {
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = tm->tm_year + 1900;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 && tm->tm_mday <= days[tm->tm_mon] &&
           (tm->tm_mon != 1 || tm->tm_mday < 29 || leap) && tm->tm_hour <= 23 && tm->tm_min <= 59 &&
           tm->tm_sec <= 60;
}

static const char *skip_fraction(const char *text) {
    if (text[0] == '.' && is_digit(text[1]))
        for (text++; is_digit(*text);)
            text++;
    return text;
}

/* Seconds east of UTC, from text that is "Z" or "+hh:mm" to its end. */
static bool read_offset(const char *text, int64_t *out) {
    *out = 0;
    if (text[0] == 'Z' || text[0] == 'z')
        return !text[1];
    if (!(begins(text, "+##:##") || begins(text, "-##:##")) || text[6])
        return false;
    int hours = number(text + 1, 2), minutes = number(text + 4, 2);
    *out = (text[0] == '-' ? -1 : 1) * (hours * INT64_C(3600) + minutes * INT64_C(60));
    return hours <= 23 && minutes <= 59;
}

int rfc3339_parse(const char *text, int64_t *out) {
    static const char pattern[] = "####-##-##T##:##:##";
    if (!begins(text, pattern))
        return ERR_INVALID;
    struct tm tm = {.tm_year = number(text, 4) - 1900,
                    .tm_mon = number(text + 5, 2) - 1,
                    .tm_mday = number(text + 8, 2),
                    .tm_hour = number(text + 11, 2),
                    .tm_min = number(text + 14, 2),
                    .tm_sec = number(text + 17, 2)};
    int64_t offset = 0;
    if (!in_calendar(&tm) || !read_offset(skip_fraction(text + strlen(pattern)), &offset))
        return ERR_INVALID;
    *out = (int64_t)timegm(&tm) - offset;
    return 0;
}

void rfc3339_format(int64_t seconds, char out[RFC3339_BYTES]) {
    time_t t = (time_t)seconds;
    struct tm tm;
    (void)gmtime_r(&t, &tm);
    (void)strftime(out, RFC3339_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
