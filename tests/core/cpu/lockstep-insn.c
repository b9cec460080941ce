/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "lockstep-insn.h"
#include <string.h>
#include <unistd.h>

static bool is_64bit(const CpuState *state)
{
    return state->efer & 1 << 10 && state->segment[CPU_CS].attributes & 0x2000;
}

/* Guest address of CS:RIP: the harness maps all that is code to itself. */
uint64_t lockstep_code_address(const CpuState *state)
{
    return is_64bit(state) ? state->rip : (uint32_t)(state->rip + state->segment[CPU_CS].base);
}

bool lockstep_is_repeated_string(CpuHarness *harness, const CpuState *state)
{
    uint64_t at = lockstep_code_address(state);
    bool repeats = false;
    for (unsigned i = 0; i < LOCKSTEP_INSTRUCTION_MAX && at + i < CPU_HARNESS_RAM_SIZE; i++) {
        uint8_t byte = cpu_harness_ram(harness)[at + i];
        if (byte == 0xF2 || byte == 0xF3)
            repeats = true;
        else if (!(byte == 0x66 || byte == 0x67 || (is_64bit(state) && byte >> 4 == 4)))
            return repeats && ((byte >= 0xA4 && byte <= 0xA7) || (byte >= 0xAA && byte <= 0xAF) ||
                               (byte >= 0x6C && byte <= 0x6F));
    }
    return false;
}

enum { CF = 1, PF = 4, AF = 16, ZF = 64, SF = 128, OF = 2048 };

/* @op: a byte, or 0F00h and the second byte; @reg: of its ModRM. */
static uint64_t undefined_by(unsigned op, unsigned reg)
{
    if (op < 0x40 && (op & 7) < 6) /* OR, AND, XOR */
        return op >> 3 == 1 || op >> 3 == 4 || op >> 3 == 6 ? AF : 0;
    switch (op) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83: return reg == 1 || reg == 4 || reg == 6 ? AF : 0;
    case 0x84:
    case 0x85:
    case 0xA8:
    case 0xA9: return AF; /* TEST */
    case 0xC0:
    case 0xC1:
    case 0xD0:
    case 0xD1:
    case 0xD2:
    case 0xD3: return OF | AF;
    case 0xF6:
    case 0xF7: /* TEST, MUL, DIV */
        return reg < 2   ? AF
               : reg < 4 ? 0
               : reg < 6 ? SF | ZF | AF | PF
                         : CF | PF | AF | ZF | SF | OF;
    case 0x69:
    case 0x6B:
    case 0x0FAF: return SF | ZF | AF | PF; /* IMUL */
    case 0x0FA4:
    case 0x0FA5:
    case 0x0FAC:
    case 0x0FAD: return OF | AF | CF; /* SHLD, SHRD */
    case 0x0FA3:
    case 0x0FAB:
    case 0x0FB3:
    case 0x0FBB:
    case 0x0FBA: return OF | SF | AF | PF;
    case 0x0FBC:
    case 0x0FBD: return CF | OF | SF | AF | PF; /* BSF, BSR */
    case 0x27:
    case 0x2F: return OF;
    case 0x37:
    case 0x3F: return OF | SF | ZF | PF;
    case 0xD4:
    case 0xD5: return OF | AF | CF;
    default: return 0;
    }
}

/* The opcode at CS:RIP behind its prefixes: a byte, or 0F00h and the second byte; 0 where there is
 * no memory. */
static unsigned opcode_at(CpuHarness *harness, const CpuState *state, uint8_t *out_modrm)
{
    uint64_t at = lockstep_code_address(state);
    if (at + LOCKSTEP_INSTRUCTION_MAX > CPU_HARNESS_RAM_SIZE)
        return 0;
    const uint8_t *byte = cpu_harness_ram(harness) + at;
    const uint8_t *end = byte + LOCKSTEP_INSTRUCTION_MAX - 2;
    while (byte < end && (memchr("\x26\x2E\x36\x3E\x64\x65\x66\x67\xF0\xF2\xF3", *byte, 11) ||
                          (is_64bit(state) && *byte >> 4 == 4)))
        byte++;
    *out_modrm = byte[0] == 0x0F ? byte[2] : byte[1];
    return byte[0] == 0x0F ? 0x0F00u | byte[1] : byte[0];
}

uint64_t lockstep_undefined_flags(CpuHarness *harness, const CpuState *state)
{
    uint8_t modrm = 0;
    unsigned opcode = opcode_at(harness, state, &modrm);
    return opcode ? undefined_by(opcode, modrm >> 3 & 7) : 0;
}

bool lockstep_is_register_cmpxchg(CpuHarness *harness, const CpuState *state)
{
    uint8_t modrm = 0;
    return opcode_at(harness, state, &modrm) == 0x0FB1 && modrm >= 0xC0;
}

/* objdump's first line for @bytes, or NULL. */
char *lockstep_disassemble(const uint8_t *bytes, const CpuState *state)
{
    g_autofree char *path = NULL, *out = NULL, *address = NULL;
    int fd = g_file_open_tmp("lockstep-XXXXXX", &path, NULL);
    if (fd < 0)
        return NULL;
    bool written = write(fd, bytes, LOCKSTEP_INSTRUCTION_MAX) == LOCKSTEP_INSTRUCTION_MAX;
    close(fd);
    address = g_strdup_printf("--adjust-vma=0x%" G_GINT64_MODIFIER "x", state->rip);
    const char *machine = is_64bit(state)                              ? "i386:x86-64"
                          : state->segment[CPU_CS].attributes & 0x4000 ? "i386"
                                                                       : "i8086";
    const char *argv[] = { "objdump", "-D",    "-b",    "binary", "-M", "intel",
                           "-m",      machine, address, path,     NULL };
    bool good = written && g_spawn_sync(NULL, (char **)argv, NULL,
                                        G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                                        NULL, &out, NULL, NULL, NULL);
    unlink(path);
    const char *line = good && out ? strstr(out, "<.data>:\n") : NULL;
    if (!line)
        return NULL;
    line = strchr(line, '\n') + 1;
    char **columns = g_strsplit(line, "\t", 4);
    char *text =
        g_strv_length(columns) >= 3 ? g_strndup(columns[2], strcspn(columns[2], "\n")) : NULL;
    g_strfreev(columns);
    return text;
}
