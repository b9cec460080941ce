/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* A guest that means harm: each scenario programs some part of the PC with random nonsense, for
 * ever. Nothing it does may end the monitor, hang it beyond a stop, or make it grow. Freestanding
 * 32-bit code with no paging, entered by hostile.S; hostile-test.py builds and runs it. */

#include <stdint.h>

#define ECAM 0xb0000000u
#define LAPIC 0xfee00000u
#define CODE 0x200000u
#define CODE_SIZE 0x10000u
#define IDT 0x100000u

extern uint32_t scenario, seed;
extern char on_any_trap[], ap_start[], ap_end[];

static uint32_t state;

static uint32_t random32(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(((uint64_t)random32() * n) >> 32);
}

/* Mostly values that break things: nothing, everything, one bit, an address. */
static uint32_t nasty(void)
{
    switch (below(6)) {
    case 0: return 0;
    case 1: return 0xffffffff;
    case 2: return 1u << below(32);
    case 3: return (1u << below(32)) - 1;
    case 4: return below(0x800000);
    default: return random32();
    }
}

static void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static uint8_t inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static uint32_t inl(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static void poke(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static uint32_t peek(uint32_t address)
{
    return *(volatile uint32_t *)address;
}

/* One random access of a random width at or near @address. */
static void prod(uint32_t address)
{
    switch (below(9)) {
    case 0: *(volatile uint8_t *)address = nasty(); break;
    case 1: *(volatile uint16_t *)address = nasty(); break;
    case 2: (void)*(volatile uint8_t *)address; break;
    case 3: (void)*(volatile uint64_t *)address; break;
    case 4: *(volatile uint64_t *)address = nasty(); break;
    case 5: __atomic_exchange_n((uint8_t *)address, nasty(), __ATOMIC_SEQ_CST); break;
    case 6: __atomic_fetch_add((uint32_t *)address, nasty(), __ATOMIC_SEQ_CST); break;
    default: poke(address & ~3u, nasty());
    }
}

/* Leaves out what ends or restarts the machine by design: 92h, CF9h, PM1 control, the debug exit.
 */
static int is_end(uint16_t port)
{
    return port == 0x64 || (port | 3) == 0x93 || (port | 7) == 0xcff || (port | 15) == 0x60f ||
           (port | 3) == 0x503;
}

static void ports(void)
{
    static const uint16_t known[] = { 0x20, 0xa0, 0x40, 0x60, 0x70,  0x3f8, 0x3c0, 0x3d0, 0x1ce,
                                      0,    0x80, 0xc0, 0xb2, 0x510, 0x4d0, 0x620, 0x660, 0x3b0 };
    uint16_t port = below(4) ? known[below(sizeof known / sizeof *known)] + below(32) : random32();

    if (is_end(port))
        return;
    switch (below(6)) {
    case 0: inb(port); break;
    case 1: inl(port); break;
    case 2: outw(port, nasty()); break;
    case 3: outl(port, nasty()); break;
    default: outb(port, nasty());
    }
}

static void mmio(void)
{
    static const uint32_t base[] = { 0xa0000,    0xb8000,    0xc0000,    0xe0000,
                                     0xfec00000, 0xfed00000, 0xfee00000, 0xfed1c000,
                                     0xfebf0000, 0xfebd0000, 0xfd000000, 0xfe000000,
                                     0xfff00000, 0x80000000, 0xfffffff0, 0xffffffff };
    uint32_t address = base[below(sizeof base / sizeof *base)];

    prod(address + below(below(2) ? 0x1000 : 0x20000));
}

/* Configuration space, both ways, BARs over RAM, the BIOS and each other. */
static void pci(void)
{
    uint32_t function = (below(4) ? below(2) * 31 + below(6) : below(32)) << 3 | below(8);
    uint32_t offset = below(3) ? below(0x40) : below(0x1000);
    uint32_t value =
        below(2) ? nasty() : (uint32_t[]){ 0, 0x100000, 0xf0000, 0xfee00000, 7, ~0u }[below(6)];

    if (below(2)) {
        outl(0xcf8, 0x80000000 | function << 8 | (offset & 0xfc));
        if (below(3))
            outl(0xcfc, value);
        else
            outb(0xcfc + below(4), value);
    } else if (peek(ECAM) != 0xffffffff) {
        poke(ECAM + (function << 12) + (offset & ~3u), value);
    }
    if (!below(8))
        mmio();
}

/* Commands of all kinds with lists, tables and regions anywhere. */
static void ahci(void)
{
    uint32_t abar, list = 0x300000, table = 0x310000, port = below(6);

    outl(0xcf8, 0x80000000 | 0xfa << 8 | 0x24);
    abar = inl(0xcfc) & ~0xfu;
    outl(0xcf8, 0x80000000 | 0xfa << 8 | 4);
    outl(0xcfc, 7);
    if (!abar || abar == ~0xfu)
        return;
    poke(abar + 4, 0x80000002);
    uint32_t p = abar + 0x100 + port * 0x80;

    for (unsigned i = 0; i < 32; i++) {
        poke(list + i * 32, (below(4) ? 5 : below(64)) | below(2) << 6 | below(4) << 8 |
                                (below(3) ? below(8) : random32()) << 16);
        poke(list + i * 32 + 4, nasty());
        poke(list + i * 32 + 8, below(4) ? table + below(8) * 0x400 : nasty());
        poke(list + i * 32 + 12, below(8) ? 0 : nasty());
    }
    for (unsigned i = 0; i < 8; i++) {
        static const uint8_t commands[] = { 0x25, 0x35, 0x60, 0x61, 0xc8, 0xca, 0xec,
                                            0xa1, 0xa0, 0xea, 0x06, 0xef, 0x20, 0x30,
                                            0xe7, 0x2f, 0x47, 0xc4, 0xb0 };
        uint32_t t = table + i * 0x400;

        for (unsigned j = 0; j < 16; j++)
            poke(t + j * 4, nasty());
        *(volatile uint8_t *)t = below(16) ? 0x27 : random32();
        *(volatile uint8_t *)(t + 1) = below(16) ? 0x80 : random32();
        *(volatile uint8_t *)(t + 2) = below(8) ? commands[below(sizeof commands)] : random32();
        for (unsigned j = 0; j < 4; j++)
            poke(t + 0x40 + j * 4, below(2) ? nasty()
                                            : (uint8_t[]){ 0x28, 0xa8, 0x12, 0x43, 0x5a, 0x4a, 0x46,
                                                           0xbe }[below(8)]);
        for (unsigned j = 0; j < 32; j++) {
            poke(t + 0x80 + j * 16, below(4) ? 0x400000 + below(0x10000) : nasty());
            poke(t + 0x84 + j * 16, below(8) ? 0 : nasty());
            poke(t + 0x8c + j * 16, below(2) ? nasty() : below(0x10000));
        }
    }
    poke(p, below(8) ? list : nasty());
    poke(p + 4, below(32) ? 0 : nasty());
    poke(p + 8, below(8) ? 0x320000 : nasty());
    poke(p + 0x10, ~0u);
    poke(p + 0x14, nasty());
    poke(p + 0x30, ~0u);
    poke(p + 0x18, 0x11);
    poke(p + 0x38, below(4) ? 1u << below(32) : random32());
    if (!below(3))
        poke(p + 0x18, nasty());
    if (!below(8))
        poke(p + 0x2c, nasty());
    if (!below(8))
        prod(abar + below(0x400));
    if (!below(32))
        poke(abar + 4, 1);
}

static uint32_t big_endian(uint32_t value)
{
    return __builtin_bswap32(value);
}

static void fw_cfg_dma(void)
{
    uint32_t descriptor = 0x300000 + below(64);

    poke(descriptor, big_endian(below(2) ? below(0x40) << 16 | below(32) : nasty()));
    poke(descriptor + 4, big_endian(nasty()));
    poke(descriptor + 8, big_endian(below(4) ? 0 : nasty()));
    poke(descriptor + 12, big_endian(below(3) ? 0x400000 + below(0x100000) : nasty()));
    outl(0x514, big_endian(below(8) ? 0 : nasty()));
    outl(0x518, big_endian(below(8) ? descriptor : nasty()));
}

static void set_traps(uint16_t limit)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) idtr = { limit, IDT };
    uint32_t handler = (uint32_t)on_any_trap;

    for (unsigned i = 0; i < 256; i++) {
        poke(IDT + i * 8, 8 << 16 | (handler & 0xffff));
        poke(IDT + i * 8 + 4, (handler & 0xffff0000) | 0x8e00);
    }
    __asm__ volatile("lidt %0" ::"m"(idtr));
}

static void triple_fault(void)
{
    set_traps(0);
    __asm__ volatile("int $3");
}

static void jump_anywhere(void)
{
    static const uint32_t to[] = { 0xa0000,    0xfec00000, 0xfed00000, 0xfee00000, ECAM,
                                   0x80000000, 0xfffff000, 0xfd000000, 0xf0000,    0xffffff };

    ((void (*)(void))(to[below(10)] + below(0x1000)))();
}

static void overlapping_rep(void)
{
    uint32_t from = nasty(), to = below(2) ? from + below(16) - 8 : nasty(), count = nasty();

    /* Not over ourselves. */
    if (below(2)) {
        from = 0x300000 + below(0x1000), to = from + below(64) - 32, count = below(0x2000000);
    } else {
        to |= 0x400000;
        count &= 0xfffff;
    }
    switch (below(4)) {
    case 0: __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory"); break;
    case 1: __asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count)::"memory"); break;
    case 2: __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(from) : "memory"); break;
    default: __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(0x1f0) : "memory");
    }
}

/* Random bytes as code, some of it of the dangerous kind, anywhere between 16 and 32 bits. */
static void random_code(void)
{
    static const uint8_t openers[] = { 0x0f, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0xd8, 0xdb,
                                       0xdd, 0xdf, 0xcd, 0xcf, 0xc5, 0xc4, 0x8e, 0x9a };

    for (uint32_t i = 0; i < 0x1000; i += 4)
        poke(CODE + i, random32());
    for (uint32_t i = 0; i < 0x1000; i += 1 + below(8))
        *(volatile uint8_t *)(CODE + i) = openers[below(sizeof openers)];
    for (unsigned i = 0; i < 64; i++)
        *(volatile uint16_t *)(CODE + below(0xfff)) =
            0x0f | (uint32_t[]){ 0x01, 0x00, 0x20, 0x22, 0x23, 0x30, 0xae, 0xc7 }[below(8)] << 8;
    __asm__ volatile(
        "movl %0, %%eax\n movl %1, %%ebx\n movl %2, %%ecx\n movl %3, %%esi\n movl %4, %%edi\n"
        "jmp *%5" ::"m"(*(uint32_t[]){ nasty() }),
        "m"(*(uint32_t[]){ 0x300000 + below(0x10000) }), "m"(*(uint32_t[]){ nasty() }),
        "m"(*(uint32_t[]){ 0x300000 + below(0x10000) }),
        "m"(*(uint32_t[]){ 0x310000 + below(0x10000) }), "d"(CODE + below(0x800))
        : "eax", "ebx", "ecx", "esi", "edi", "memory");
}

/* Code that rewrites itself, its neighbours and its page, at each pass. */
static void modify_code(void)
{
    uint32_t at = CODE + below(0x2000);

    for (unsigned i = 0; i < 64; i++)
        *(volatile uint8_t *)(at + i) = 0x90;
    /* movb $imm8, (at + n) ×8, then ret; the bytes that are overwritten stay one-byte instructions.
     */
    for (unsigned i = 0; i < 8; i++) {
        *(volatile uint16_t *)(at + i * 7) = 0x05c6;
        poke(at + i * 7 + 2, at + below(64));
        *(volatile uint8_t *)(at + i * 7 + 6) =
            (uint8_t[]){ 0x90, 0xf8, 0xf9, 0x40, 0xc3, 0xeb }[below(6)];
    }
    *(volatile uint8_t *)(at + 64) = 0xc3;
    ((void (*)(void))at)();
}

static void interrupt_storm(void)
{
    poke(LAPIC + 0xf0, 0x1ff);
    poke(LAPIC + 0x310, below(2) ? below(8) << 24 : nasty());
    /* Any delivery but INIT with the sender in it, mostly. */
    poke(LAPIC + 0x300, (below(4) ? below(4) << 18 : 0) | below(8) << 8 | 0x4000 | below(256));
    if (!below(16))
        poke(LAPIC + 0x380, below(3));
    if (!below(16))
        poke(LAPIC + 0x320, (below(4) << 17) | below(256));
    if (!below(64)) {
        poke(LAPIC + 0x310, 0);
        poke(LAPIC + 0x300, 0xc4500);
        poke(LAPIC + 0x300, 0xc4601);
    }
    __asm__ volatile("sti\n nop\n nop\n cli");
}

/* Timers with the shortest periods there are, all at once. */
static void timers(void)
{
    outb(0x43, below(3) << 6 | 0x30 | below(6) << 1);
    outb(0x40 + below(3), below(3));
    outb(0x40 + below(3), below(2));
    outb(0x61, below(4));
    outb(0x70, 10);
    outb(0x71, 0x20 | below(16));
    outb(0x70, 11);
    outb(0x71, 0x40 | below(0x80));
    poke(0xfed00010, below(4));
    poke(0xfed00000 + 0xf0, nasty());
    for (unsigned i = 0; i < 3; i++) {
        poke(0xfed00100 + i * 32, nasty());
        poke(0xfed00108 + i * 32, below(3));
        poke(0xfed0010c + i * 32, 0);
    }
    poke(LAPIC + 0x320, 0x20000 | (16 + below(240)));
    poke(LAPIC + 0x3e0, 0xb);
    poke(LAPIC + 0x380, below(4));
    outb(0x21, 0), outb(0xa1, 0);
    __asm__ volatile("sti\n nop\n nop\n cli");
}

/* LOCKed accesses to what is not memory. */
static void locked_devices(void)
{
    static const uint32_t at[] = { 0xfed00300, LAPIC + 0x80, 0xfec00000,
                                   0xa0000,    ECAM + 0xa0,  0xfffff000 };
    uint32_t address = at[below(sizeof at / sizeof *at)];

    __atomic_fetch_add((uint32_t *)address, 1, __ATOMIC_SEQ_CST);
    __atomic_exchange_n((uint32_t *)(address - 2), nasty(), __ATOMIC_SEQ_CST);
}

/* Video memory over everything, the BIOS shadowed and not, while others use both. */
static void remap(void)
{
    static const uint32_t at[] = { 0xfd000000, 0xfe000000, 0xff000000, 0xfc000000, 0x80000000,
                                   0x0,        0x1000000,  0xb0000000, 0xf0000000, 0xfffffff0 };
    uint32_t bar = at[below(10)];

    outl(0xcf8, 0x80000804);
    outl(0xcfc, below(8) ? 7 : below(8));
    outl(0xcf8, 0x80000810);
    outl(0xcfc, bar);
    poke((bar & 0xff000000) + 0x300000 + below(0x1000) * 4, seed);
    if (!below(4))
        prod((bar & 0xff000000) + 0xffc000 + below(0x1000)); /* what KVM keeps for itself */
    outl(0xcf8, 0x80000090 + below(2) * 4);
    if (below(2))
        outb(0xcfc + below(4), below(4) * 0x11);
    else
        outl(0xcfc, below(2) ? nasty() & 0x33333333 : 0x33333333);
    peek(0xc0000 + below(0x10000) * 4);
    poke(0xd0000 + below(0x4000) * 4, seed);
}

static void write_msr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(index), "A"(value));
}

static uint64_t read_msr(uint32_t index)
{
    uint64_t value;

    __asm__ volatile("rdmsr" : "=A"(value) : "c"(index));
    return value;
}

static void msrs(void)
{
    static const uint32_t from[] = { 0,          0x10,       0x1b,       0x3a,      0x48,  0x174,
                                     0x186,      0x1a0,      0x1d9,      0x200,     0x277, 0x2ff,
                                     0x38d,      0x400,      0x480,      0x570,     0x6e0, 0x800,
                                     0x40000000, 0x40000020, 0x4b564d00, 0xc0000080 };
    uint32_t index = below(8) ? from[below(sizeof from / sizeof *from)] + below(16) : random32();

    if (below(2))
        read_msr(index);
    else
        write_msr(index, (uint64_t)nasty() << 32 | nasty());
}

/* The local APIC's page in all widths and places, its base moved, x2APIC on and off. */
static void apic(void)
{
    uint64_t base = LAPIC | 0x800;

    switch (below(8)) {
    case 0: write_msr(0x1b, base | below(16) << 8); break;
    case 1: write_msr(0x1b, (below(2) ? 0xfee00000u : nasty() & ~0xfffu) | below(16) << 8); break;
    case 2: write_msr(0x1b, 0), write_msr(0x1b, base); break;
    case 3: write_msr(0x800 + below(0x40), (uint64_t)below(4) << 32 | nasty()); break;
    case 4: read_msr(0x800 + below(0x100)); break;
    default: prod(LAPIC + below(0x400) * (below(4) ? 4 : 1));
    }
    if (!below(16))
        __asm__ volatile("sti\n nop\n nop\n cli");
}

/* Paging, of 32 bits or PAE, with tables that lie in what they map and are soon overwritten. */
static void page_tables(void)
{
    uint32_t tables = 0x500000 + below(16) * 0x1000;
    uint32_t cr0, is_pae = below(2);

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %0, %%cr0" ::"r"(cr0 & 0x7fffffff));
    for (unsigned i = 0; i < 1024; i++)
        poke(tables + i * 4, is_pae ? (i & 1 ? 0 : (i / 2) << 21 | 0x83) : i << 22 | 0x83);
    for (unsigned i = 0; i < 8; i++)
        poke(tables + 0x20000 + i * 4, i & 1 ? 0 : tables | 1);
    __asm__ volatile("mov %0, %%cr4" ::"r"(0x10 | is_pae << 5));
    __asm__ volatile("mov %0, %%cr3" ::"r"(is_pae ? tables + 0x20000 : tables));
    __asm__ volatile("mov %0, %%cr0" ::"r"(cr0 | 0x80000000));
    for (unsigned i = below(64); i > 0; i--) {
        /* Mostly not the page that holds us. */
        poke(tables + (below(32) ? 16 + below(1000) * 4 : below(1024) * 4) / 4 * 4, nasty());
        if (below(2))
            prod(below(4) ? nasty() : tables + below(0x1000));
        if (!below(4))
            __asm__ volatile("mov %%cr3, %%eax\n mov %%eax, %%cr3" ::: "eax");
    }
}

/* The others, or all, started and reset while they run, with each other's messages under way. */
static void starts(void)
{
    poke(LAPIC + 0xf0, 0x1ff);
    poke(LAPIC + 0x310, below(2) ? 0 : below(4) << 24);
    switch (below(4)) {
    case 0: poke(LAPIC + 0x300, 0xc4500); break;
    case 1: poke(LAPIC + 0x300, 0xc4600 | below(4)); break;
    case 2: poke(LAPIC + 0x300, 0xc4601); break;
    default: poke(LAPIC + 0x300, below(4) ? 0xc4400 : 0xc8500);
    }
}

static void everything(void);

static void (*const scenarios[])(void) = {
    ports,
    mmio,
    pci,
    ahci,
    fw_cfg_dma,
    triple_fault,
    jump_anywhere,
    overlapping_rep,
    random_code,
    modify_code,
    interrupt_storm,
    timers,
    locked_devices,
    remap,
    msrs,
    apic,
    page_tables,
    starts,
    everything,
};

static void everything(void)
{
    scenarios[below(sizeof scenarios / sizeof *scenarios - 1)]();
}

void hostile_next(void)
{
    for (;;)
        scenarios[scenario]();
}

void hostile_other(void)
{
    __asm__ volatile("lidt %0" ::"m"(*(char(*)[6])0x5f0));
    for (;;)
        scenarios[scenario]();
}

void hostile_main(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    state = (seed * 2654435761u) ^ low ^ high;
    if (!state)
        state = 1;
    for (const char *c = "hostile "; *c; c++)
        outb(0x402, *c);
    outb(0x3f8, '!');
    for (unsigned i = 0; i < (unsigned)(ap_end - ap_start); i++)
        ((volatile char *)0x1000)[i] = ap_start[i];
    set_traps(0x7ff);
    poke(0x5f0, 0x7ff | IDT << 16);
    *(volatile uint16_t *)0x5f4 = IDT >> 16;
    poke(LAPIC + 0x300, 0xc4500);
    poke(LAPIC + 0x300, 0xc4601);
    hostile_next();
}
