/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/rtc.h"

#include "core/machine/machine.h"

#include <string.h>

enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0A,
    RTC_B = 0x0B,
    RTC_C = 0x0C,
    RTC_D = 0x0D,
    RTC_CENTURY = 0x32,
};
enum {
    A_UPDATING = 1 << 7,
    A_RESET = 0x26, /* 32768 Hz, 1024 periodic interrupts a second */
    B_SET = 1 << 7,
    B_BINARY = 1 << 2,
    B_24_HOURS = 1 << 1,
    C_PERIODIC = 1 << 6, /* the same bits enable in B */
    C_ALARM = 1 << 5,
    C_UPDATE = 1 << 4,
    C_ALL = C_PERIODIC | C_ALARM | C_UPDATE,
    C_REQUEST = 1 << 7,
    D_VALID = 1 << 7,
    HOURS_PM = 1 << 7,
    ALARM_ANY = 0xC0,
};
#define UPDATE_NS 244000 /* UIP is high this long before the seconds change */
#define CRYSTAL_HZ 32768
#define NS CLOCK_NS_PER_SECOND
#define SECONDS_A_DAY 86400
#define SECONDS_TO_1970 UINT64_C(62167219200) /* from the year 0 */

struct Rtc {
    Device dev;
    /* wiring */
    IrqLine irq8;
    Clock *clock;
    ClockTimer timer;
    bool is_disconnected;
    int64_t base_seconds; /* at clock 0; -1: the host's */
    int64_t host_lead_ns; /* host time - clock when they were last in step */
    /* guest state */
    uint8_t index;
    uint8_t cmos[128];   /* time registers here are only good while time is stopped */
    uint64_t base_ns;    /* time of day since year 0 when the clock is 0, modulo 2^64 */
    uint64_t flagged_ns; /* clock time up to which the flags in register C are right */
};

static const StateField rtc_state[] = {
    STATE_UINT_MAX(Rtc, index, 127),
    STATE_BYTES(Rtc, cmos),
    STATE_UINT(Rtc, base_ns),
    STATE_UINT(Rtc, flagged_ns),
    STATE_END,
};

/* Calendar (proleptic Gregorian), in years since 0. */

typedef struct {
    unsigned year, month, day, weekday, hour, minute, second; /* weekday 1: Sunday */
} RtcDate;

static void date_from_seconds(uint64_t seconds, RtcDate *out)
{
    uint64_t days = seconds / SECONDS_A_DAY;
    unsigned rest = seconds % SECONDS_A_DAY;

    out->weekday = (unsigned)((days + 6) % 7) + 1; /* 1 January 0 was a Saturday */
    out->hour = rest / 3600;
    out->minute = rest / 60 % 60;
    out->second = rest % 60;

    int64_t march_days = (int64_t)days - 60; /* the year starts in March: leap days come last */
    int64_t era = (march_days >= 0 ? march_days : march_days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(march_days - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;
    out->day = day_of_year - (153 * shifted + 2) / 5 + 1;
    out->month = shifted < 10 ? shifted + 3 : shifted - 9;
    out->year = (unsigned)(era * 400 + year_of_era + (out->month <= 2));
}

static uint64_t date_to_seconds(const RtcDate *date)
{
    unsigned month = CLAMP(date->month, 1, 12);
    int64_t year = (int64_t)date->year - (month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + date->day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * 146097 + day_of_era + 60;

    return (uint64_t)days * SECONDS_A_DAY + date->hour * 3600 + date->minute * 60 + date->second;
}

/* Register contents */

static uint8_t rtc_encode(const Rtc *rtc, unsigned value)
{
    return (uint8_t)(rtc->cmos[RTC_B] & B_BINARY ? value : value / 10 % 10 << 4 | value % 10);
}

static unsigned rtc_decode(const Rtc *rtc, uint8_t value)
{
    return rtc->cmos[RTC_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 15);
}

static uint8_t rtc_encode_hour(const Rtc *rtc, unsigned hour)
{
    if (rtc->cmos[RTC_B] & B_24_HOURS)
        return rtc_encode(rtc, hour);
    return rtc_encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOURS_PM : 0);
}

static unsigned rtc_decode_hour(const Rtc *rtc, uint8_t value)
{
    if (rtc->cmos[RTC_B] & B_24_HOURS)
        return rtc_decode(rtc, value);
    return rtc_decode(rtc, value & ~HOURS_PM) % 12 + (value & HOURS_PM ? 12 : 0);
}

static bool is_time_register(unsigned index)
{
    return index == RTC_CENTURY || index == RTC_SECONDS || index == RTC_MINUTES ||
           index == RTC_HOURS || (index >= RTC_WEEKDAY && index <= RTC_YEAR);
}

static void rtc_store_time(Rtc *rtc, uint64_t seconds)
{
    RtcDate date;

    date_from_seconds(seconds, &date);
    rtc->cmos[RTC_SECONDS] = rtc_encode(rtc, date.second);
    rtc->cmos[RTC_MINUTES] = rtc_encode(rtc, date.minute);
    rtc->cmos[RTC_HOURS] = rtc_encode_hour(rtc, date.hour);
    rtc->cmos[RTC_WEEKDAY] = rtc_encode(rtc, date.weekday);
    rtc->cmos[RTC_DAY] = rtc_encode(rtc, date.day);
    rtc->cmos[RTC_MONTH] = rtc_encode(rtc, date.month);
    rtc->cmos[RTC_YEAR] = rtc_encode(rtc, date.year % 100);
    rtc->cmos[RTC_CENTURY] = rtc_encode(rtc, date.year / 100);
}

static uint64_t rtc_stored_time(const Rtc *rtc)
{
    const uint8_t *cmos = rtc->cmos;
    RtcDate date = {
        .year = rtc_decode(rtc, cmos[RTC_CENTURY]) * 100 + rtc_decode(rtc, cmos[RTC_YEAR]),
        .month = rtc_decode(rtc, cmos[RTC_MONTH]),
        .day = rtc_decode(rtc, cmos[RTC_DAY]),
        .hour = rtc_decode_hour(rtc, cmos[RTC_HOURS]),
        .minute = rtc_decode(rtc, cmos[RTC_MINUTES]),
        .second = rtc_decode(rtc, cmos[RTC_SECONDS]),
    };

    date.day = MAX(date.day, 1);
    return date_to_seconds(&date);
}

/* Time */

/* Time of day is kept in 64 bits of nanoseconds since the year 1600, which is a start of the
 * 400-year cycle; the range ends in 2184. */
#define EPOCH_SECONDS UINT64_C(50491123200) /* from the year 0 to 1600 */

static bool rtc_is_stopped(const Rtc *rtc)
{
    return (rtc->cmos[RTC_B] & B_SET) || (rtc->cmos[RTC_A] & 0x70) >= 0x60;
}

static uint64_t rtc_time_ns(const Rtc *rtc, uint64_t now)
{
    return rtc->base_ns + now;
}

static uint64_t rtc_time_seconds(const Rtc *rtc, uint64_t now)
{
    return rtc_time_ns(rtc, now) / NS + EPOCH_SECONDS;
}

/* Sets the time of day; the fraction of a second goes on. */
static void rtc_set_seconds(Rtc *rtc, uint64_t seconds, uint64_t now)
{
    uint64_t fraction = rtc_time_ns(rtc, now) % NS;
    uint64_t since_epoch = seconds > EPOCH_SECONDS ? seconds - EPOCH_SECONDS : 0;

    rtc->base_ns = MIN(since_epoch, UINT64_MAX / NS - 1) * NS + fraction - now;
}

/* Flags and interrupt */

static uint64_t rtc_period_ticks(const Rtc *rtc)
{
    unsigned rate = rtc->cmos[RTC_A] & 15;

    if (rate == 0)
        return 0;
    return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t rtc_crystal_ticks(const Rtc *rtc, uint64_t now)
{
    return clock_ns_to_ticks(rtc_time_ns(rtc, now), CRYSTAL_HZ);
}

static bool alarm_field_matches(const Rtc *rtc, unsigned index, unsigned value)
{
    uint8_t alarm = rtc->cmos[index];

    if ((alarm & ALARM_ANY) == ALARM_ANY)
        return true;
    return (index == RTC_HOURS_ALARM ? rtc_decode_hour(rtc, alarm) : rtc_decode(rtc, alarm)) ==
           value;
}

/* The first second after @seconds and not after @until at which the alarm goes off; 0: none. */
static uint64_t rtc_next_alarm(const Rtc *rtc, uint64_t seconds, uint64_t until)
{
    until = MIN(until, seconds + SECONDS_A_DAY);
    for (uint64_t at = seconds + 1; at <= until;) {
        if (!alarm_field_matches(rtc, RTC_HOURS_ALARM, at / 3600 % 24))
            at += 3600 - at % 3600;
        else if (!alarm_field_matches(rtc, RTC_MINUTES_ALARM, at / 60 % 60))
            at += 60 - at % 60;
        else if (!alarm_field_matches(rtc, RTC_SECONDS_ALARM, at % 60))
            at++;
        else
            return at;
    }
    return 0;
}

/* Sets the flags for all that happened since the last look. */
static void rtc_catch_up(Rtc *rtc, uint64_t now)
{
    uint64_t before = rtc->flagged_ns, period = rtc_period_ticks(rtc);

    rtc->flagged_ns = now;
    if (now <= before || (rtc->cmos[RTC_A] & 0x70) >= 0x60)
        return;
    if (period && rtc_crystal_ticks(rtc, now) / period != rtc_crystal_ticks(rtc, before) / period)
        rtc->cmos[RTC_C] |= C_PERIODIC;
    uint64_t from = rtc_time_seconds(rtc, before), to = rtc_time_seconds(rtc, now);
    if (rtc_is_stopped(rtc) || from == to)
        return;
    rtc->cmos[RTC_C] |= C_UPDATE;
    if (!(rtc->cmos[RTC_C] & C_ALARM) && rtc_next_alarm(rtc, from, to))
        rtc->cmos[RTC_C] |= C_ALARM;
}

/* When the next flag that interrupts and is not yet set will be. */
static uint64_t rtc_next_event(const Rtc *rtc, uint64_t now)
{
    uint8_t wanted = rtc->cmos[RTC_B] & ~rtc->cmos[RTC_C] & C_ALL;
    uint64_t next = CLOCK_NEVER, period = rtc_period_ticks(rtc);

    if ((rtc->cmos[RTC_A] & 0x70) >= 0x60)
        return CLOCK_NEVER;
    if ((wanted & C_PERIODIC) && period) {
        uint64_t edge = (rtc_crystal_ticks(rtc, now) / period + 1) * period;
        next = clock_ticks_to_ns(edge, CRYSTAL_HZ) - rtc->base_ns;
    }
    if (rtc_is_stopped(rtc))
        return next;
    uint64_t seconds = rtc_time_seconds(rtc, now), at = 0;
    if (wanted & C_UPDATE)
        at = seconds + 1;
    else if (wanted & C_ALARM)
        at = rtc_next_alarm(rtc, seconds, UINT64_MAX);
    if (at)
        next = MIN(next, (at - EPOCH_SECONDS) * NS - rtc->base_ns);
    /* Where 64 bits of time wrap around, "next" may be in the past: not at once again then. */
    return MAX(next, now + NS / CRYSTAL_HZ);
}

/* An access looks at the clock once: a flag that came up between its read of register C and this
 * would keep the line high, and a line that does not fall has no next edge. */
static void rtc_update_at(Rtc *rtc, uint64_t now)
{
    rtc_catch_up(rtc, now);
    bool is_requested = rtc->cmos[RTC_C] & rtc->cmos[RTC_B] & C_ALL;
    if (!rtc->is_disconnected)
        irq_set(&rtc->irq8, is_requested);
    clock_timer_set(&rtc->timer, rtc_next_event(rtc, now));
}

static void rtc_update(Device *dev)
{
    Rtc *rtc = (Rtc *)dev;

    rtc_update_at(rtc, clock_now_ns(rtc->clock));
}

static void on_rtc_timer(void *opaque)
{
    rtc_update(opaque);
}

void rtc_set_irq_connected(Rtc *rtc, bool connected)
{
    if (rtc->is_disconnected == !connected)
        return;
    if (!connected)
        irq_set(&rtc->irq8, false);
    rtc->is_disconnected = !connected;
    rtc_update(&rtc->dev);
}

/* Registers */

static uint8_t rtc_read_cmos(Rtc *rtc, unsigned index, uint64_t now)
{
    bool is_stopped = rtc_is_stopped(rtc);

    if (is_time_register(index) && !is_stopped)
        rtc_store_time(rtc, rtc_time_seconds(rtc, now));
    switch (index) {
    case RTC_A: {
        bool is_updating = !is_stopped && rtc_time_ns(rtc, now) % NS >= NS - UPDATE_NS;
        return (rtc->cmos[RTC_A] & ~A_UPDATING) | (is_updating ? A_UPDATING : 0);
    }
    case RTC_C: {
        uint8_t flags = rtc->cmos[RTC_C];
        rtc->cmos[RTC_C] = 0;
        return flags & rtc->cmos[RTC_B] & C_ALL ? flags | C_REQUEST : flags;
    }
    case RTC_D: return D_VALID;
    default: return rtc->cmos[index];
    }
}

static uint64_t rtc_read(Device *dev, uint64_t offset, unsigned size)
{
    Rtc *rtc = (Rtc *)dev;
    uint64_t now = clock_now_ns(rtc->clock);

    if (offset == 0)
        return 0xFF; /* the index cannot be read */
    rtc_catch_up(rtc, now);
    uint8_t value = rtc_read_cmos(rtc, rtc->index, now);
    if (rtc->index == RTC_C)
        rtc_update_at(rtc, now);
    return value;
}

/* Time registers go from counting to standing, or back. */
static void rtc_write_control(Rtc *rtc, unsigned index, uint8_t value, uint64_t now)
{
    bool was_stopped = rtc_is_stopped(rtc);
    bool was_held = (rtc->cmos[RTC_A] & 0x70) >= 0x60;

    if (!was_stopped)
        rtc_store_time(rtc, rtc_time_seconds(rtc, now));
    /* SET also clears the update interrupt enable (MC146818 data sheet, register B). */
    if (index == RTC_B && (value & B_SET))
        value &= ~C_UPDATE;
    rtc->cmos[index] = index == RTC_A ? value & ~A_UPDATING : value;
    if (was_held && (rtc->cmos[RTC_A] & 0x70) < 0x60) /* first update half a second later */
        rtc->base_ns += NS / 2 - rtc_time_ns(rtc, now) % NS;
    if (was_stopped && !rtc_is_stopped(rtc))
        rtc_set_seconds(rtc, rtc_stored_time(rtc), now);
}

static void rtc_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Rtc *rtc = (Rtc *)dev;
    uint64_t now = clock_now_ns(rtc->clock);
    unsigned index = rtc->index;

    if (offset == 0) {
        rtc->index = value & 0x7F; /* bit 7 masks NMI, of which there are none from the chipset */
        return;
    }
    rtc_catch_up(rtc, now);
    if (index == RTC_A || index == RTC_B) {
        rtc_write_control(rtc, index, (uint8_t)value, now);
    } else if (is_time_register(index)) {
        if (!rtc_is_stopped(rtc))
            rtc_store_time(rtc, rtc_time_seconds(rtc, now));
        rtc->cmos[index] = (uint8_t)value;
        if (!rtc_is_stopped(rtc))
            rtc_set_seconds(rtc, rtc_stored_time(rtc), now);
    } else if (index != RTC_C && index != RTC_D) {
        rtc->cmos[index] = (uint8_t)value;
    }
    rtc_update_at(rtc, now);
}

/* The board's side */

void rtc_set_cmos(Rtc *rtc, uint8_t index, uint8_t value)
{
    g_return_if_fail(index > RTC_D && index < sizeof(rtc->cmos) && index != RTC_CENTURY);
    rtc->cmos[index] = value;
}

uint8_t rtc_get_cmos(const Rtc *rtc, uint8_t index)
{
    return rtc->cmos[index & 0x7F];
}

static int64_t rtc_host_lead_ns(const Rtc *rtc)
{
    return g_get_real_time() * 1000 - (int64_t)clock_now_ns(rtc->clock);
}

void rtc_resync(Rtc *rtc)
{
    if (rtc->base_seconds != -1)
        return;
    int64_t lead = rtc_host_lead_ns(rtc);
    rtc_catch_up(rtc, clock_now_ns(rtc->clock));
    rtc->base_ns += (uint64_t)(lead - rtc->host_lead_ns);
    rtc->host_lead_ns = lead;
    rtc_update(&rtc->dev);
}

static void rtc_reset(Device *dev)
{
    Rtc *rtc = (Rtc *)dev;
    uint64_t now = clock_now_ns(rtc->clock);

    /* Time and CMOS have a battery. A clock that the guest had stopped goes on. */
    bool was_stopped = rtc_is_stopped(rtc);
    uint64_t seconds = was_stopped ? rtc_stored_time(rtc) : rtc_time_seconds(rtc, now);
    rtc->index = 0;
    rtc->cmos[RTC_A] = A_RESET;
    rtc->cmos[RTC_B] = B_24_HOURS;
    rtc->cmos[RTC_C] = 0;
    rtc->flagged_ns = now;
    if (was_stopped)
        rtc_set_seconds(rtc, seconds, now);
    rtc_store_time(rtc, rtc_time_seconds(rtc, now));
}

static bool rtc_realize(Device *dev, Machine *machine, GError **error)
{
    Rtc *rtc = (Rtc *)dev;

    rtc->clock = machine->clock;
    clock_timer_init(&rtc->timer, machine->clock, on_rtc_timer, rtc);
    rtc->host_lead_ns = rtc_host_lead_ns(rtc);
    uint64_t to_1970 = (SECONDS_TO_1970 - EPOCH_SECONDS) * NS;
    rtc->base_ns = to_1970 + (rtc->base_seconds == -1 ? (uint64_t)rtc->host_lead_ns
                                                      : (uint64_t)rtc->base_seconds * NS);
    rtc->cmos[RTC_A] = A_RESET;
    rtc->cmos[RTC_B] = B_24_HOURS;
    address_space_map_device(machine->ports, 0x70, 2, MAP_PRIORITY_CHIPSET, dev, 0);
    return true;
}

static void rtc_unrealize(Device *dev)
{
    clock_timer_cancel(&((Rtc *)dev)->timer);
}

static const DeviceOps rtc_ops = {
    .name = "rtc",
    .instance_size = sizeof(Rtc),
    .state_version = 1,
    .state = rtc_state,
    .min_access = 1,
    .max_access = 1,
    .realize = rtc_realize,
    .unrealize = rtc_unrealize,
    .reset = rtc_reset,
    .update = rtc_update,
    .read = rtc_read,
    .write = rtc_write,
};

Device *rtc_new(IrqLine irq8, int64_t base_seconds)
{
    Rtc *rtc = device_alloc(&rtc_ops, "rtc");

    rtc->irq8 = irq8;
    rtc->base_seconds = base_seconds;
    return &rtc->dev;
}
