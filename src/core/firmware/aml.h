/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Writes ACPI machine language (ACPI 6.4 chapter 20) term by term into a byte array. Terms that
 * enclose others are opened with aml_begin_…() and closed with aml_end(), which fills in the
 * package length. Included by the table builder only; names and nesting are the programmer's. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    GByteArray *bytes; /* owned; what has been written */
    GArray *open;      /* owned; where the enclosing terms' contents begin */
} Aml;

enum { AML_SPACE_MEMORY = 0, AML_SPACE_IO = 1, AML_SPACE_PCI_CONFIG = 2 };
enum { AML_FIELD_ANY_ACCESS = 0, AML_FIELD_BYTE_ACCESS = 1, AML_FIELD_DWORD_ACCESS = 3 };
enum { AML_LOCAL0 = 0x60, AML_LOCAL1 = 0x61, AML_ARG0 = 0x68, AML_ARG1, AML_ARG2, AML_ARG3 };

void aml_init(Aml *aml);
void aml_clear(Aml *aml);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Aml, aml_clear)

/* Raw opcodes: locals, arguments, operators with their operands following. */
void aml_op(Aml *aml, uint8_t opcode);
void aml_path(Aml *aml, const char *path); /* "\\_SB.PCI0", "^ABCD", "_ADR" */
void aml_int(Aml *aml, uint64_t value);
void aml_string(Aml *aml, const char *text);
void aml_eisa_id(Aml *aml, const char *id); /* "PNP0A08" */
void aml_uuid(Aml *aml, const char *uuid);  /* as a buffer, in ToUUID order */

void aml_begin_scope(Aml *aml, const char *path);
void aml_begin_device(Aml *aml, const char *name);
void aml_begin_method(Aml *aml, const char *name, unsigned n_arguments, bool serialized);
void aml_begin_if(Aml *aml);   /* the predicate follows */
void aml_begin_else(Aml *aml); /* right after the if's aml_end() */
void aml_begin_package(Aml *aml, unsigned n_elements);
void aml_begin_field(Aml *aml, const char *region, unsigned access);
void aml_field_unit(Aml *aml, const char *name, unsigned bits); /* NULL: reserved bits */
void aml_end(Aml *aml);

void aml_name(Aml *aml, const char *name); /* Name(@name, …): the value follows */
void aml_name_int(Aml *aml, const char *name, uint64_t value);
void aml_name_eisa_id(Aml *aml, const char *name, const char *id);
void aml_name_string(Aml *aml, const char *name, const char *text);
void aml_region(Aml *aml, const char *name, unsigned space, uint64_t offset, uint64_t length);
void aml_create_dword_field(Aml *aml, uint8_t source, uint64_t index, const char *name);
void aml_return(Aml *aml); /* the value follows */
void aml_store(Aml *aml);  /* source, then target follow */
void aml_equal(Aml *aml);  /* two operands follow */
void aml_and(Aml *aml);    /* two operands and a target follow */
void aml_or(Aml *aml);
void aml_no_target(Aml *aml); /* where an operator's result is only its value */

/* Resource descriptors (ACPI 6.4 §6.4), gathered in an array and named as one template. */
void aml_name_resources(Aml *aml, const char *name, const GByteArray *descriptors);
void aml_buffer(Aml *aml, const uint8_t *bytes, size_t length);
void resource_io(GByteArray *to, uint16_t first, uint16_t last, uint8_t align, uint8_t length);
void resource_irq(GByteArray *to, unsigned irq); /* edge, active high, exclusive */
void resource_interrupts(GByteArray *to, const uint32_t *gsi, unsigned n); /* level, high, shared */
void resource_memory_fixed(GByteArray *to, uint32_t base, uint32_t length, bool writable);
void resource_bus_window(GByteArray *to, uint16_t first, uint16_t last);
void resource_io_window(GByteArray *to, uint16_t first, uint16_t last);
void resource_memory_window(GByteArray *to, uint32_t first, uint32_t last, bool cacheable);
void resource_memory64_window(GByteArray *to, uint64_t first, uint64_t last);
