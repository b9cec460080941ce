/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/firmware/acpi.h"

#include "core/dev/acpi-pm.h"
#include "core/dev/hpet.h"
#include "core/irq/apic.h"
#include <string.h>

#define ACPI_HEADER_SIZE 36
#define FADT_SIZE 276 /* revision 6 */
#define RSDP_SIZE 36
#define SCI_IRQ 9

/* etc/table-loader: 128-byte commands, names in 56-byte fields. */
enum { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER = 2, LOADER_ADD_CHECKSUM = 3 };
enum { LOADER_ZONE_HIGH = 1, LOADER_ZONE_FSEG = 2 };
#define LOADER_NAME_SIZE 56
#define LOADER_ENTRY_SIZE 128

static void put(GByteArray *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = i < 8 ? value >> (8 * i) : 0;
        g_byte_array_append(to, &byte, 1);
    }
}

static void set_at(GByteArray *in, guint offset, uint64_t value, unsigned size)
{
    g_assert(offset + size <= in->len);
    for (unsigned i = 0; i < size; i++)
        in->data[offset + i] = value >> (8 * i);
}

static uint64_t get_at(const GByteArray *in, guint offset, unsigned size)
{
    uint64_t value = 0;

    g_assert(offset + size <= in->len);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)in->data[offset + i] << (8 * i);
    return value;
}

void acpi_put_header(GByteArray *to, const char *signature, uint8_t revision)
{
    g_byte_array_append(to, (const uint8_t *)signature, 4);
    put(to, 0, 4); /* length */
    put(to, revision, 1);
    put(to, 0, 1); /* checksum */
    g_byte_array_append(to, (const uint8_t *)"VITRNE", 6);
    g_byte_array_append(to, (const uint8_t *)"VITRINE ", 8);
    put(to, 1, 4);
    g_byte_array_append(to, (const uint8_t *)"VTRN", 4);
    put(to, 1, 4);
}

/* The loader script. */

static void loader_put(AcpiTables *t, uint32_t command, const char *file, const char *other,
                       const uint32_t *words, unsigned n_words, uint8_t last)
{
    uint8_t entry[LOADER_ENTRY_SIZE] = { command };
    unsigned at = 4;

    memcpy(entry + at, file, strlen(file));
    at += LOADER_NAME_SIZE;
    if (other) {
        memcpy(entry + at, other, strlen(other));
        at += LOADER_NAME_SIZE;
    }
    for (unsigned i = 0; i < n_words; i++, at += 4) {
        uint32_t word = GUINT32_TO_LE(words[i]);
        memcpy(entry + at, &word, 4);
    }
    entry[at] = last;
    g_byte_array_append(t->loader, entry, sizeof entry);
}

static void loader_allocate(AcpiTables *t, const char *file, uint32_t align, uint8_t zone)
{
    loader_put(t, LOADER_ALLOCATE, file, NULL, &align, 1, zone);
}

/* The @size bytes at @offset of @in become a pointer into the tables blob, at @target. */
static void loader_pointer(AcpiTables *t, GByteArray *in, guint offset, uint8_t size, guint target)
{
    uint32_t word = offset;

    set_at(in, offset, target, size);
    loader_put(t, LOADER_ADD_POINTER, in == t->rsdp ? ACPI_FILE_RSDP : ACPI_FILE_TABLES,
               ACPI_FILE_TABLES, &word, 1, size);
}

static void loader_checksum(AcpiTables *t, GByteArray *in, guint offset, guint start, guint length)
{
    uint32_t words[3] = { offset, start, length };

    loader_put(t, LOADER_ADD_CHECKSUM, in == t->rsdp ? ACPI_FILE_RSDP : ACPI_FILE_TABLES, NULL,
               words, 3, 0);
}

/* The table from @start to the end is whole: its length, and an order for its checksum. */
static void finish_table(AcpiTables *t, guint start)
{
    set_at(t->tables, start + 4, t->tables->len - start, 4);
    loader_checksum(t, t->tables, start + 9, start, t->tables->len - start);
}

static guint begin_table(AcpiTables *t, const char *signature, uint8_t revision)
{
    while (t->tables->len % 8)
        put(t->tables, 0, 1);
    guint start = t->tables->len;
    acpi_put_header(t->tables, signature, revision);
    return start;
}

/* Generic address structure (§5.2.3.2). */
static void put_gas(GByteArray *to, uint8_t space, uint8_t bits, uint8_t access, uint64_t address)
{
    put(to, space, 1);
    put(to, bits, 1);
    put(to, 0, 1);
    put(to, access, 1);
    put(to, address, 8);
}

static guint build_facs(AcpiTables *t)
{
    guint start = t->tables->len; /* first in the blob: aligned to 64 */

    g_byte_array_append(t->tables, (const uint8_t *)"FACS", 4);
    put(t->tables, 64, 4);
    put(t->tables, 0, 24); /* signature, waking vectors, lock, flags */
    put(t->tables, 2, 1);  /* version */
    put(t->tables, 0, 31);
    return start;
}

/* §5.2.9. No SMM: SMI_CMD is 0 and ACPI is always on. */
static guint build_fadt(AcpiTables *t, const AcpiConfig *config, guint facs, guint dsdt)
{
    guint start = begin_table(t, "FACP", 6);
    GByteArray *to = t->tables;
    uint16_t pm = config->pm_base;

    put(to, 0, 4); /* FIRMWARE_CTRL */
    put(to, 0, 4); /* DSDT */
    put(to, 0, 1);
    put(to, 1, 1); /* preferred profile: desktop */
    put(to, SCI_IRQ, 2);
    put(to, 0, 4 + 4); /* SMI_CMD, ACPI_ENABLE … PSTATE_CNT */
    put(to, pm, 4);    /* PM1a_EVT */
    put(to, 0, 4);
    put(to, pm + 4, 4);           /* PM1a_CNT */
    put(to, 0, 4 + 4);            /* PM1b_CNT, PM2_CNT */
    put(to, pm + ACPI_PM_TMR, 4); /* PM_TMR */
    put(to, pm + ACPI_GPE0_STS, 4);
    put(to, 0, 4); /* GPE1 */
    put(to, 4, 1);
    put(to, 2, 1);
    put(to, 0, 1);
    put(to, 4, 1);
    put(to, 16, 1);    /* GPE0 block length */
    put(to, 0, 3);     /* GPE1 length and base, CST_CNT */
    put(to, 0xFFF, 2); /* C2, C3: not there */
    put(to, 0xFFF, 2);
    put(to, 0, 2 + 2 + 1 + 1); /* flush size and stride, duty */
    put(to, 0, 2);             /* day and month alarm */
    put(to, 0x32, 1);          /* century */
    put(to, 0x0002, 2);        /* IAPC_BOOT_ARCH: 8042 */
    put(to, 0, 1);
    put(to, 0x84A5, 4);          /* WBINVD, C1, no sleep button, RTC S4, reset register, PM timer */
    put_gas(to, 1, 8, 1, 0xCF9); /* RESET_REG */
    put(to, 0x0F, 1);            /* RESET_VALUE */
    put(to, 0, 2);               /* ARM_BOOT_ARCH */
    put(to, 4, 1);               /* minor version */
    put(to, 0, 8);               /* X_FIRMWARE_CTRL: only one of the two may be set */
    put(to, 0, 8);               /* X_DSDT */
    put_gas(to, 1, 32, 2, pm);   /* X_PM1a_EVT */
    put_gas(to, 0, 0, 0, 0);     /* X_PM1b_EVT */
    put_gas(to, 1, 16, 2, pm + 4);              /* X_PM1a_CNT */
    put_gas(to, 0, 0, 0, 0);                    /* X_PM1b_CNT */
    put_gas(to, 0, 0, 0, 0);                    /* X_PM2_CNT */
    put_gas(to, 1, 32, 3, pm + 8);              /* X_PM_TMR */
    put_gas(to, 1, 128, 1, pm + ACPI_GPE0_STS); /* X_GPE0 */
    put_gas(to, 0, 0, 0, 0);                    /* X_GPE1 */
    put_gas(to, 0, 0, 0, 0);                    /* sleep control */
    put_gas(to, 0, 0, 0, 0);                    /* sleep status */
    put(to, 0, 8);                              /* hypervisor vendor */
    g_assert(to->len - start == FADT_SIZE);
    loader_pointer(t, to, start + 36, 4, facs);
    loader_pointer(t, to, start + 40, 4, dsdt);
    loader_pointer(t, to, start + 140, 8, dsdt);
    finish_table(t, start);
    return start;
}

/* An ISA interrupt whose wire, trigger or polarity is not as ISA has it (§5.2.12.5). */
static void put_override(GByteArray *to, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    put(to, 2, 1);
    put(to, 10, 1);
    put(to, 0, 1);
    put(to, irq, 1);
    put(to, gsi, 4);
    put(to, flags, 2);
}

static guint build_madt(AcpiTables *t, const AcpiConfig *config)
{
    static const uint8_t level_irqs[] = { 5, 9, 10, 11 };
    guint start = begin_table(t, "APIC", 5);
    GByteArray *to = t->tables;

    put(to, APIC_BASE_DEFAULT, 4);
    put(to, 1, 4); /* PC-AT compatible: there is an 8259 pair */
    for (unsigned i = 0; i < config->n_cpus; i++) {
        put(to, 0, 1); /* local APIC */
        put(to, 8, 1);
        put(to, i, 1);
        put(to, i, 1);
        put(to, 1, 4);
    }
    put(to, 1, 1); /* I/O APIC */
    put(to, 12, 1);
    put(to, 0, 2);
    put(to, 0xFEC00000, 4);
    put(to, 0, 4);
    put_override(to, 0, 2, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(level_irqs); i++)
        put_override(to, level_irqs[i], level_irqs[i], 0x0D); /* active high, level */
    put(to, 4, 1);                                            /* NMI on LINT1 of every CPU */
    put(to, 6, 1);
    put(to, 0xFF, 1);
    put(to, 0, 2);
    put(to, 1, 1);
    finish_table(t, start);
    return start;
}

static guint build_hpet(AcpiTables *t)
{
    guint start = begin_table(t, "HPET", 1);

    put(t->tables, 0x8086A201, 4);
    put_gas(t->tables, 0, 0, 0, HPET_BASE);
    put(t->tables, 0, 1 + 2 + 1);
    finish_table(t, start);
    return start;
}

static guint build_mcfg(AcpiTables *t, const AcpiConfig *config)
{
    guint start = begin_table(t, "MCFG", 1);

    put(t->tables, 0, 8);
    put(t->tables, config->ecam_base, 8);
    put(t->tables, 0, 2 + 1); /* segment, first bus */
    put(t->tables, 0xFF, 1);
    put(t->tables, 0, 4);
    finish_table(t, start);
    return start;
}

/* Windows ACPI Emulated Devices: the PM timer needs one read only. */
static guint build_waet(AcpiTables *t)
{
    guint start = begin_table(t, "WAET", 1);

    put(t->tables, 1 << 1, 4);
    finish_table(t, start);
    return start;
}

static guint build_root(AcpiTables *t, const char *signature, unsigned width, const guint *entries,
                        unsigned n)
{
    guint start = begin_table(t, signature, 1);

    for (unsigned i = 0; i < n; i++) {
        put(t->tables, 0, width);
        loader_pointer(t, t->tables, t->tables->len - width, width, entries[i]);
    }
    finish_table(t, start);
    return start;
}

static void build_rsdp(AcpiTables *t, guint rsdt, guint xsdt)
{
    GByteArray *to = t->rsdp;

    g_byte_array_append(to, (const uint8_t *)"RSD PTR ", 8);
    put(to, 0, 1);
    g_byte_array_append(to, (const uint8_t *)"VITRNE", 6);
    put(to, 2, 1);
    put(to, 0, 4);
    put(to, RSDP_SIZE, 4);
    put(to, 0, 8);
    put(to, 0, 4); /* extended checksum, reserved */
    loader_pointer(t, to, 16, 4, rsdt);
    loader_pointer(t, to, 24, 8, xsdt);
    loader_checksum(t, to, 8, 0, 20);
    loader_checksum(t, to, 32, 0, RSDP_SIZE);
}

void acpi_tables_build(AcpiTables *t, const AcpiConfig *config)
{
    guint entry[8];
    unsigned n = 0;

    *t = (AcpiTables){ g_byte_array_new(), g_byte_array_new(), g_byte_array_new() };
    loader_allocate(t, ACPI_FILE_RSDP, 16, LOADER_ZONE_FSEG);
    loader_allocate(t, ACPI_FILE_TABLES, 64, LOADER_ZONE_HIGH);

    guint facs = build_facs(t);
    guint dsdt = t->tables->len;
    acpi_build_dsdt(t->tables, config);
    finish_table(t, dsdt);
    entry[n++] = build_fadt(t, config, facs, dsdt);
    entry[n++] = build_madt(t, config);
    if (config->has_hpet)
        entry[n++] = build_hpet(t);
    entry[n++] = build_mcfg(t, config);
    entry[n++] = build_waet(t);
    guint rsdt = build_root(t, "RSDT", 4, entry, n);
    guint xsdt = build_root(t, "XSDT", 8, entry, n);
    build_rsdp(t, rsdt, xsdt);
}

void acpi_tables_clear(AcpiTables *t)
{
    g_clear_pointer(&t->tables, g_byte_array_unref);
    g_clear_pointer(&t->rsdp, g_byte_array_unref);
    g_clear_pointer(&t->loader, g_byte_array_unref);
}

void acpi_tables_place(AcpiTables *t, uint64_t tables_gpa)
{
    for (guint at = 0; at < t->loader->len; at += LOADER_ENTRY_SIZE) {
        const uint8_t *entry = t->loader->data + at;
        const uint8_t *operands = entry + 4 + LOADER_NAME_SIZE;
        GByteArray *file =
            strcmp((const char *)entry + 4, ACPI_FILE_RSDP) == 0 ? t->rsdp : t->tables;

        if (entry[0] == LOADER_ADD_POINTER) { /* all point into the tables */
            operands += LOADER_NAME_SIZE;
            guint offset = GUINT32_FROM_LE(*(const uint32_t *)operands);
            unsigned size = operands[4];
            set_at(file, offset, get_at(file, offset, size) + tables_gpa, size);
        } else if (entry[0] == LOADER_ADD_CHECKSUM) {
            const uint32_t *words = (const uint32_t *)operands;
            guint start = GUINT32_FROM_LE(words[1]), length = GUINT32_FROM_LE(words[2]);
            uint8_t sum = 0;
            for (guint i = 0; i < length; i++)
                sum += file->data[start + i];
            file->data[GUINT32_FROM_LE(words[0])] -= sum;
        }
    }
}
