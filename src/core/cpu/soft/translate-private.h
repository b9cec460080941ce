/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the translator's files share: the code area (translate.c) and the translation of one block
 * (translate-block.c). */

#include "core/cpu/soft/decode.h"
#include "core/cpu/soft/emit.h"
#include "core/cpu/soft/translate.h"

/* A direct branch out of translated code, described behind its call of leave_site, which is where
 * it goes until the target is known. Places are bytes from the start of the area. */
typedef struct {
    uint32_t jump;       /* the rel32 of the jump to the target */
    uint32_t key : 31;   /* other page: the 8 bytes of the key that must hold XOR RIP, else 0 */
    uint32_t global : 1; /* the key is that of global pages */
} TranslateSite;
G_STATIC_ASSERT(sizeof(TranslateSite) == 8);

/* Where an indirect branch to a linear address went last. */
#define TRANSLATE_JUMP_BITS 12
typedef struct TranslateJump {
    uint64_t linear, key;
    const uint8_t *code; /* NULL: empty */
    uint64_t unused;
} TranslateJump;
G_STATIC_ASSERT(sizeof(TranslateJump) == 32);

#define TRANSLATE_FILTER_BITS 65536

/* Code that all translations share. */
typedef struct {
    /* R14 = record, as a distance in the block arena, like RAX below; returns behind the call, or
     * leaves for good */
    const uint8_t *call_out;
    const uint8_t *leave;          /* to the run loop; RIP is set */
    const uint8_t *leave_dead;     /* the same, of a block that has died */
    const uint8_t *leave_record;   /* RAX = record: the interpreter goes on there */
    const uint8_t *leave_site;     /* called: a TranslateSite follows; find its target */
    const uint8_t *leave_indirect; /* RIP is set: find the block */
} TranslateStubs;

struct SoftTranslator {
    uint8_t *write; /* the area as it is written … */
    uint8_t *run;   /* … and as it runs */
    size_t first;   /* bytes of stubs */
    size_t size, used, most_used;
    unsigned patience;
    unsigned generation[2]; /* of jump keys: any, global */
    /* Filters of the linear pages that each key vouches for: bit = page number modulo their size.
     */
    uint64_t target_pages[2][TRANSLATE_FILTER_BITS / 64];
    uintptr_t (*enter)(SoftCpu *cpu, const uint8_t *code);
    TranslateStubs stub; /* in the writable mapping */
    TranslateJump jump[1 << TRANSLATE_JUMP_BITS];
};

/* As the block cache: of the whole machine, but each vCPU has at least a quarter. */
#define TRANSLATE_AREA (UINT64_C(32) << 20)

/* Host register of a guest register in translated code, or HOST_NONE: it stays in SoftCpu. Scratch:
 * RAX, R13, R14. R15 is the state pointer. */
extern const uint8_t translate_home[16];
#define TRANSLATE_STATE HOST_R15
/* Field of SoftCpu as an operand. R15 points behind the general registers, so that all of the hot
 * state is within 127 bytes. */
#define TRANSLATE_BIAS offsetof(SoftCpu, gpr[16])
#define TRANSLATE_FIELD(field)                                                                     \
    EMIT_MEM(TRANSLATE_STATE, (int32_t)(offsetof(SoftCpu, field) - TRANSLATE_BIAS))

/* Translates the block that begins with @first; the code to enter, in the running mapping, or NULL
 * when the area is full, or the block turned out to be stale and has been retired. */
const uint8_t *translate_block(SoftCpu *cpu, SoftOp *first);
static inline const uint8_t *translate_running(const SoftTranslator *translator,
                                               const uint8_t *written)
{
    return translator->run + (written - translator->write);
}
