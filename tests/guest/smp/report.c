/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Words on the serial port, and the end of the run: "SMP PASS" or "SMP FAIL", and the debug exit.
 */

#include "smp.h"
#include <stdarg.h>

#define SERIAL 0x3F8
#define DEBUG_EXIT 0x501
enum { EXIT_PASS = 0x10, EXIT_FAIL = 0x20 };

static void put(char c)
{
    if (c == '\n')
        put('\r');
    while (!(in8(SERIAL + 5) & 0x20))
        pause();
    out8(SERIAL, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[24];
    unsigned n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while (value /= base);
    while (n)
        put(digits[--n]);
}

static void put_formatted(const char *format, va_list args)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        bool is_long = *++format == 'l';
        format += is_long;
        if (*format == 's')
            for (const char *s = va_arg(args, const char *); *s; s++)
                put(*s);
        else
            put_number(is_long ? va_arg(args, uint64_t) : va_arg(args, unsigned),
                       *format == 'x' ? 16 : 10);
    }
}

void print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_formatted(format, args);
    va_end(args);
}

void end_run(bool good)
{
    print("SMP %s\n", good ? "PASS" : "FAIL");
    out8(DEBUG_EXIT, good ? EXIT_PASS : EXIT_FAIL);
    for (;;)
        pause();
}

static void print_cpu(const Cpu *cpu)
{
    print("  CPU %lu: %s%s", cpu->id, cpu->doing ? cpu->doing : "has not started",
          cpu->is_halted ? ", halted" : "");
    if (cpu->waits_for >= 0)
        print(", waits for CPU %u", (unsigned)cpu->waits_for);
    print("; %lu done, %lu halts, %lu wake-ups, %lu ticks", cpu->n_done, cpu->n_halts, cpu->n_wakes,
          cpu->n_ticks);
    for (unsigned i = 0; i < run.n_cpus; i++)
        if (cpu->n_pings_sent[i] != cpu->n_pongs[i])
            print("; pinged CPU %u %lu times, %lu arrived, %lu answers", i, cpu->n_pings_sent[i],
                  cpu_at(i)->n_pings[cpu->id], cpu->n_pongs[i]);
    print("\n");
}

void fail(Cpu *cpu, const char *format, ...)
{
    static unsigned has_failed;
    va_list args;

    while (__atomic_exchange_n(&has_failed, 1, __ATOMIC_SEQ_CST))
        for (;;)
            pause(); /* one report is enough */
    print("\nFAILED on CPU %lu: ", cpu->id);
    va_start(args, format);
    put_formatted(format, args);
    va_end(args);
    print("\n");
    for (unsigned i = 0; i < run.n_cpus; i++)
        print_cpu(cpu_at(i));
    end_run(false);
}

void check_patience(Cpu *cpu, uint64_t *deadline)
{
    uint64_t now = read_tsc();

    if (!*deadline)
        *deadline = now + run.patience_s * run.tsc_hz;
    else if (now > *deadline)
        fail(cpu, "waits in vain: %s", cpu->doing);
}
