/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Pairs of an arithmetic instruction and the Jcc right after it, done by one handler: the branch
 * tests the host's flags while they are still there. The first instruction's record is followed by
 * the two of the Jcc. A memory operand that misses falls back to the plain handlers. */

#include "core/cpu/soft/branch.h"
#include "core/cpu/soft/int-quiet.h"

#define FUSE_BRANCH(taken)                                                                         \
    do {                                                                                           \
        if (taken)                                                                                 \
            SOFT_BRANCH(cpu, op + 1, op + 1);                                                      \
        SOFT_BRANCH(cpu, op + 2, op + 1);                                                          \
    } while (0)

/* CMP and TEST on (D, SRC). */
#define FUSE_COMPARE(CC, N, S, FORM, D, D_CONSTRAINT, SRC, SRC_CONSTRAINT)                         \
    static SoftNext N##_##FORM##_##S##_j##CC(SoftCpu *cpu, SoftOp *op)                             \
    {                                                                                              \
        uint32_t flags;                                                                            \
        bool taken;                                                                                \
        __asm__(#N INT_SUFFIX_##S " %[s], %[d]" INT_SAVE_FLAGS                                     \
                : "=a"(flags), "=@cc" #CC(taken)                                                   \
                : [d] D_CONSTRAINT(D), [s] SRC_CONSTRAINT(SRC));                                   \
        cpu->flags = flags;                                                                        \
        FUSE_BRANCH(taken);                                                                        \
    }
#define FUSE_COMPARE_RR(CC, N, S)                                                                  \
    FUSE_COMPARE(CC, N, S, rr, INT_GET_##S(cpu, op->dst), "r", INT_GET_##S(cpu, op->src), "r")
#define FUSE_COMPARE_RI(CC, N, S)                                                                  \
    FUSE_COMPARE(CC, N, S, ri, INT_GET_##S(cpu, op->dst), "m", (INT_TYPE_##S)op->imm, "r")

/* CMP and TEST of memory with an immediate or a register. */
#define FUSE_COMPARE_MEMORY(CC, N, S, EA, FORM, WHICH, NUMBER, SRC)                                \
    static SoftNext N##_##FORM##_##EA##_##S##_j##CC(SoftCpu *cpu, SoftOp *op)                      \
    {                                                                                              \
        const INT_TYPE_##S *p = soft_ptr(cpu, op, INT_EA_##EA, S, false);                          \
        if (G_UNLIKELY(!p))                                                                        \
            return soft_alu_handlers[NUMBER][FUSE_INDEX_##S][WHICH + INT_EA_##EA](cpu, op);        \
        uint32_t flags;                                                                            \
        bool taken;                                                                                \
        __asm__(#N INT_SUFFIX_##S " %[s], %[d]" INT_SAVE_FLAGS                                     \
                : "=a"(flags), "=@cc" #CC(taken)                                                   \
                : [d] "m"(*p), [s] "r"(SRC));                                                      \
        cpu->flags = flags;                                                                        \
        FUSE_BRANCH(taken);                                                                        \
    }
#define FUSE_INDEX_1 0
#define FUSE_INDEX_4 2
#define FUSE_INDEX_8 3
#define FUSE_CMP_MI(CC, N, S, EA)                                                                  \
    FUSE_COMPARE_MEMORY(CC, cmp, S, EA, mi, INT_FORM_MI, INT_CMP, (INT_TYPE_##S)op->imm)
#define FUSE_TEST_MI(CC, N, S, EA)                                                                 \
    FUSE_COMPARE_MEMORY(CC, test, S, EA, mi, INT_FORM_MI, INT_TEST, (INT_TYPE_##S)op->imm)
#define FUSE_CMP_MR(CC, N, S, EA)                                                                  \
    FUSE_COMPARE_MEMORY(CC, cmp, S, EA, mr, INT_FORM_MR, INT_CMP, INT_GET_##S(cpu, op->src))

/* ADD SUB AND, INC DEC on a register. */
#define FUSE_WRITE(CC, N, S, FORM, SRC)                                                            \
    static SoftNext N##_##FORM##_##S##_j##CC(SoftCpu *cpu, SoftOp *op)                             \
    {                                                                                              \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        uint32_t flags;                                                                            \
        bool taken;                                                                                \
        __asm__(#N INT_SUFFIX_##S " %[s], %[d]" INT_SAVE_FLAGS                                     \
                : [d] "+r"(d), "=&a"(flags), "=@cc" #CC(taken)                                     \
                : [s] "r"(SRC));                                                                   \
        INT_SET_##S(cpu, slot, d);                                                                 \
        cpu->flags = flags;                                                                        \
        FUSE_BRANCH(taken);                                                                        \
    }
#define FUSE_WRITE_RR(CC, N, S) FUSE_WRITE(CC, N, S, rr, INT_GET_##S(cpu, op->src))
#define FUSE_WRITE_RI(CC, N, S) FUSE_WRITE(CC, N, S, ri, (INT_TYPE_##S)op->imm)
#define FUSE_STEP(CC, N, S)                                                                        \
    static SoftNext N##_r_##S##_j##CC(SoftCpu *cpu, SoftOp *op)                                    \
    {                                                                                              \
        uint8_t slot = op->dst;                                                                    \
        INT_TYPE_##S d = INT_GET_##S(cpu, slot);                                                   \
        uint32_t flags = cpu->flags;                                                               \
        bool taken;                                                                                \
        __asm__(INT_LOAD_CARRY #N INT_SUFFIX_##S " %[d]" INT_SAVE_FLAGS                            \
                : [d] "+r"(d), "+&a"(flags), "=@cc" #CC(taken));                                   \
        INT_SET_##S(cpu, slot, d);                                                                 \
        cpu->flags = flags;                                                                        \
        FUSE_BRANCH(taken);                                                                        \
    }

INT_FOR_CC(FUSE_COMPARE_RR, cmp, 1)
INT_FOR_CC(FUSE_COMPARE_RR, cmp, 4)
INT_FOR_CC(FUSE_COMPARE_RR, cmp, 8)
INT_FOR_CC(FUSE_COMPARE_RI, cmp, 1)
INT_FOR_CC(FUSE_COMPARE_RI, cmp, 4)
INT_FOR_CC(FUSE_COMPARE_RI, cmp, 8)
INT_FOR_CC(FUSE_COMPARE_RR, test, 1)
INT_FOR_CC(FUSE_COMPARE_RR, test, 4)
INT_FOR_CC(FUSE_COMPARE_RR, test, 8)
INT_FOR_CC(FUSE_COMPARE_RI, test, 1)
INT_FOR_CC(FUSE_COMPARE_RI, test, 4)
INT_FOR_CC(FUSE_CMP_MI, cmp, 1, b)
INT_FOR_CC(FUSE_CMP_MI, cmp, 4, b)
INT_FOR_CC(FUSE_CMP_MI, cmp, 8, b)
INT_FOR_CC(FUSE_CMP_MI, cmp, 1, g)
INT_FOR_CC(FUSE_CMP_MI, cmp, 4, g)
INT_FOR_CC(FUSE_CMP_MR, cmp, 4, b)
INT_FOR_CC(FUSE_CMP_MR, cmp, 8, b)
INT_FOR_CC(FUSE_TEST_MI, test, 1, b)
INT_FOR_CC(FUSE_TEST_MI, test, 4, b)
INT_FOR_CC(FUSE_TEST_MI, test, 1, g)
INT_FOR_CC(FUSE_WRITE_RR, add, 4)
INT_FOR_CC(FUSE_WRITE_RR, add, 8)
INT_FOR_CC(FUSE_WRITE_RI, add, 4)
INT_FOR_CC(FUSE_WRITE_RI, add, 8)
INT_FOR_CC(FUSE_WRITE_RR, sub, 4)
INT_FOR_CC(FUSE_WRITE_RR, sub, 8)
INT_FOR_CC(FUSE_WRITE_RI, sub, 4)
INT_FOR_CC(FUSE_WRITE_RI, sub, 8)
INT_FOR_CC(FUSE_WRITE_RR, and, 4)
INT_FOR_CC(FUSE_WRITE_RI, and, 4)
INT_FOR_CC(FUSE_STEP, inc, 4)
INT_FOR_CC(FUSE_STEP, inc, 8)
INT_FOR_CC(FUSE_STEP, dec, 4)
INT_FOR_CC(FUSE_STEP, dec, 8)

#define FUSE_NAME(CC, STEM) STEM##_j##CC,
#define FUSE_ROW(PLAIN, STEM)                                                                      \
    {                                                                                              \
        &PLAIN,                                                                                    \
        {                                                                                          \
            INT_FOR_CC(FUSE_NAME, STEM)                                                            \
        }                                                                                          \
    }
#define FUSE_ALU(OP, S, FORM) soft_alu_handlers[OP][FUSE_INDEX_##S][FORM]
#define FUSE_UNARY(OP, S) soft_unary_handlers[OP][FUSE_INDEX_##S][0]
static const struct {
    SoftHandler *const *plain;
    SoftHandler *fused[16];
} fuse_table[] = {
    FUSE_ROW(FUSE_ALU(INT_TEST, 8, INT_FORM_RR), test_rr_8),
    FUSE_ROW(FUSE_ALU(INT_TEST, 4, INT_FORM_RR), test_rr_4),
    FUSE_ROW(FUSE_ALU(INT_TEST, 1, INT_FORM_RR), test_rr_1),
    FUSE_ROW(FUSE_ALU(INT_CMP, 8, INT_FORM_RR), cmp_rr_8),
    FUSE_ROW(FUSE_ALU(INT_CMP, 4, INT_FORM_RR), cmp_rr_4),
    FUSE_ROW(FUSE_ALU(INT_CMP, 1, INT_FORM_RR), cmp_rr_1),
    FUSE_ROW(FUSE_ALU(INT_CMP, 8, INT_FORM_RI), cmp_ri_8),
    FUSE_ROW(FUSE_ALU(INT_CMP, 4, INT_FORM_RI), cmp_ri_4),
    FUSE_ROW(FUSE_ALU(INT_CMP, 1, INT_FORM_RI), cmp_ri_1),
    FUSE_ROW(FUSE_ALU(INT_TEST, 4, INT_FORM_RI), test_ri_4),
    FUSE_ROW(FUSE_ALU(INT_TEST, 1, INT_FORM_RI), test_ri_1),
    FUSE_ROW(FUSE_ALU(INT_CMP, 8, INT_FORM_MI + SOFT_EA_B), cmp_mi_b_8),
    FUSE_ROW(FUSE_ALU(INT_CMP, 4, INT_FORM_MI + SOFT_EA_B), cmp_mi_b_4),
    FUSE_ROW(FUSE_ALU(INT_CMP, 1, INT_FORM_MI + SOFT_EA_B), cmp_mi_b_1),
    FUSE_ROW(FUSE_ALU(INT_CMP, 4, INT_FORM_MI + SOFT_EA_G), cmp_mi_g_4),
    FUSE_ROW(FUSE_ALU(INT_CMP, 1, INT_FORM_MI + SOFT_EA_G), cmp_mi_g_1),
    FUSE_ROW(FUSE_ALU(INT_CMP, 8, INT_FORM_MR + SOFT_EA_B), cmp_mr_b_8),
    FUSE_ROW(FUSE_ALU(INT_CMP, 4, INT_FORM_MR + SOFT_EA_B), cmp_mr_b_4),
    FUSE_ROW(FUSE_ALU(INT_TEST, 1, INT_FORM_MI + SOFT_EA_B), test_mi_b_1),
    FUSE_ROW(FUSE_ALU(INT_TEST, 4, INT_FORM_MI + SOFT_EA_B), test_mi_b_4),
    FUSE_ROW(FUSE_ALU(INT_TEST, 1, INT_FORM_MI + SOFT_EA_G), test_mi_g_1),
    FUSE_ROW(FUSE_ALU(INT_ADD, 8, INT_FORM_RR), add_rr_8),
    FUSE_ROW(FUSE_ALU(INT_ADD, 4, INT_FORM_RR), add_rr_4),
    FUSE_ROW(FUSE_ALU(INT_ADD, 8, INT_FORM_RI), add_ri_8),
    FUSE_ROW(FUSE_ALU(INT_ADD, 4, INT_FORM_RI), add_ri_4),
    FUSE_ROW(FUSE_ALU(INT_SUB, 8, INT_FORM_RR), sub_rr_8),
    FUSE_ROW(FUSE_ALU(INT_SUB, 4, INT_FORM_RR), sub_rr_4),
    FUSE_ROW(FUSE_ALU(INT_SUB, 8, INT_FORM_RI), sub_ri_8),
    FUSE_ROW(FUSE_ALU(INT_SUB, 4, INT_FORM_RI), sub_ri_4),
    FUSE_ROW(FUSE_ALU(INT_AND, 4, INT_FORM_RR), and_rr_4),
    FUSE_ROW(FUSE_ALU(INT_AND, 4, INT_FORM_RI), and_ri_4),
    FUSE_ROW(FUSE_UNARY(INT_INC, 8), inc_r_8),
    FUSE_ROW(FUSE_UNARY(INT_INC, 4), inc_r_4),
    FUSE_ROW(FUSE_UNARY(INT_DEC, 8), dec_r_8),
    FUSE_ROW(FUSE_UNARY(INT_DEC, 4), dec_r_4),
};

void soft_fuse(SoftOp *first, SoftOp *previous, SoftOp *branch)
{
    soft_quieten(first, previous, branch);
    if (!soft_branch_is_conditional(branch))
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(fuse_table); i++) {
        if (previous->fn == *fuse_table[i].plain) {
            previous->fn = fuse_table[i].fused[branch->dst];
            return;
        }
    }
}
