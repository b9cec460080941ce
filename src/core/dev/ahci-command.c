/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* From a bit in PxCI to a command for the drive, and from its end to FISes and interrupts. All that
 * lies in guest memory is copied once and then judged. */

#include "core/dev/ahci-internal.h"
#include "core/memory/dma.h"
#include <string.h>

#define HEADER_SIZE 32
#define HEADER_ATAPI (1u << 5)
#define HEADER_WRITE (1u << 6)
#define TABLE_ACMD 0x40
#define TABLE_PRDT 0x80
#define PRD_SIZE 16
#define PRD_BATCH 64
#define PRD_INTERRUPT (1u << 31)

typedef struct {
    AtaCommand ata;
    AhciPort *port;
    unsigned slot;
    uint32_t flags, n_prd; /* of the command header */
    uint64_t table;
    GPtrArray *bounces; /* owned; for what is not plain memory */
    bool to_memory, bus_error, overflow, prd_interrupt;
} AhciCommand;

static uint32_t get_le32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static AddressSpace *port_memory(const AhciPort *port)
{
    return pci_bus_memory(port->ahci->bus);
}

/* --- data ------------------------------------------------------------------------------------- */

/* A piece of the guest's buffer that no host pointer reaches: reads go nowhere, as stores to a
 * missing address do; writes take what can be read there, from ROM for one. */
static bool command_add_bounce(AhciCommand *c, uint64_t gpa, uint64_t length)
{
    uint8_t *bytes = g_malloc0(length);

    if (!c->bounces)
        c->bounces = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(c->bounces, bytes);
    if (!c->to_memory && !dma_read(port_memory(c->port), gpa, bytes, length))
        return false;
    struct iovec piece = { .iov_base = bytes, .iov_len = length };
    g_array_append_val(c->ata.iov, piece);
    return true;
}

static bool command_map_prd(AhciCommand *c, uint64_t gpa, uint64_t length)
{
    while (length) {
        uint64_t got = 0;
        void *host = dma_map(port_memory(c->port), gpa, length, &got);
        if (host) {
            struct iovec piece = { .iov_base = host, .iov_len = got };
            g_array_append_val(c->ata.iov, piece);
        } else {
            got = MIN(length, 4096 - (gpa & 4095));
            if (!command_add_bounce(c, gpa, got))
                return false;
        }
        gpa += got;
        length -= got;
    }
    return true;
}

/* Walks the descriptor table (§4.2.3.3) as far as @length goes; it may be up to 65535 entries of up
 * to 4 MiB, of which the transfer, at most 32 MiB, bounds what we touch. */
static bool command_map(AtaCommand *ata, uint64_t length, bool to_memory, uint64_t *out_mapped)
{
    AhciCommand *c = (AhciCommand *)ata;
    uint64_t mapped = 0;

    c->to_memory = to_memory;
    ata->iov = g_array_new(FALSE, FALSE, sizeof(struct iovec));
    for (uint32_t first = 0; first < c->n_prd && mapped < length; first += PRD_BATCH) {
        uint8_t prd[PRD_BATCH * PRD_SIZE];
        uint32_t n = MIN(c->n_prd - first, PRD_BATCH);
        if (!dma_read(port_memory(c->port), c->table + TABLE_PRDT + first * PRD_SIZE, prd,
                      n * PRD_SIZE)) {
            c->bus_error = true;
            return false;
        }
        for (uint32_t i = 0; i < n && mapped < length; i++) {
            const uint8_t *entry = prd + i * PRD_SIZE;
            uint64_t gpa = (uint64_t)get_le32(entry + 4) << 32 | (get_le32(entry) & ~1u);
            uint64_t piece = MIN((get_le32(entry + 12) & 0x3FFFFF) + UINT64_C(1), length - mapped);
            c->prd_interrupt |= (get_le32(entry + 12) & PRD_INTERRUPT) != 0;
            if (gpa > UINT64_MAX - piece || !command_map_prd(c, gpa, piece)) {
                c->bus_error = true;
                return false;
            }
            mapped += piece;
        }
    }
    c->overflow = mapped < length;
    *out_mapped = mapped;
    return true;
}

/* What the drive or a worker stored becomes visible to CPUs as written. */
static void command_settle_data(AhciCommand *c)
{
    if (!c->to_memory || !c->ata.iov)
        return;
    for (unsigned i = 0; i < c->ata.iov->len; i++) {
        const struct iovec *piece = &g_array_index(c->ata.iov, struct iovec, i);
        dma_done(port_memory(c->port), piece->iov_base, piece->iov_len);
    }
    c->to_memory = false;
}

static void command_release(AtaCommand *ata)
{
    AhciCommand *c = (AhciCommand *)ata;

    command_settle_data(c);
    g_clear_pointer(&c->bounces, g_ptr_array_unref);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void command_write_byte_count(AhciCommand *c)
{
    uint8_t bytes[4];
    uint32_t count = (uint32_t)c->ata.transferred;

    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(count >> 8 * i);
    dma_write(port_memory(c->port), ahci_port_command_list(c->port) + c->slot * HEADER_SIZE + 4,
              bytes, sizeof bytes);
}

static void command_finish_queued(AhciCommand *c)
{
    AhciPort *port = c->port;
    bool failed = c->ata.status & ATA_ERR;

    /* On failure the tag's bit stays, which is how the guest knows whose it was. */
    ahci_port_send_set_bits(port, failed ? 0 : 1u << c->slot, c->ata.status, c->ata.error);
}

static void command_finish_plain(AhciCommand *c)
{
    AhciPort *port = c->port;
    bool failed = c->ata.status & ATA_ERR;
    bool is_packet = c->ata.command == ATA_CMD_PACKET;
    bool pio_in = !failed && c->ata.protocol == ATA_PIO_IN && c->ata.transferred;

    command_write_byte_count(c);
    if (!failed)
        port->ci &= ~(1u << c->slot);
    if (pio_in)
        ahci_port_send_pio_setup(port, &c->ata, (uint16_t)MIN(c->ata.transferred, 0xFFFE), true,
                                 true);
    /* Reading by PIO ends with its last block (ATA8-AST); packets have a status of their own. */
    if (!pio_in || is_packet)
        ahci_port_send_d2h(port, &c->ata, true);
}

static void command_complete(AtaCommand *ata)
{
    AhciCommand *c = (AhciCommand *)ata;
    AhciPort *port = c->port;

    command_settle_data(c);
    port->command[c->slot] = NULL;
    if (port->halted)
        return; /* another tag failed meanwhile: the drive has forgotten this one */
    if (c->bus_error) {
        ahci_port_fail(port, AHCI_IS_HBFS);
    } else if (ata->is_queued) {
        command_finish_queued(c);
    } else {
        command_finish_plain(c);
    }
    if (c->overflow)
        port->is |= AHCI_IS_OFS;
    if (c->prd_interrupt && !(ata->status & ATA_ERR))
        port->is |= AHCI_IS_DPS;
    ahci_update_irq(port->ahci, false);
    ahci_port_run(port);
}

static const AtaHost ahci_host = {
    .map = command_map,
    .complete = command_complete,
    .release = command_release,
};

void ahci_port_abort(AhciPort *port)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        AtaCommand *command = port->command[slot];
        port->command[slot] = NULL;
        if (command)
            ata_abort(command);
    }
}

/* --- beginnings ------------------------------------------------------------------------------- */

static bool command_is_queued(uint8_t code)
{
    return code == ATA_CMD_READ_FPDMA || code == ATA_CMD_WRITE_FPDMA;
}

/* A register FIS with C clear carries the device control register: only software reset matters. */
static void port_control(AhciPort *port, unsigned slot, uint8_t control)
{
    bool reset = control & 4;

    port->ci &= ~(1u << slot);
    if (port->soft_reset && !reset) {
        ata_drive_reset(&port->drive);
        ahci_port_send_signature(port);
    }
    port->soft_reset = reset;
}

static void port_start_command(AhciPort *port, AhciCommand *c, const uint8_t fis[64])
{
    AtaCommand *ata = &c->ata;

    ata->drive = &port->drive;
    ata->host = &ahci_host;
    ata->command = fis[2];
    ata->device = fis[7];
    ata->feature = fis[3] | fis[11] << 8;
    ata->count = fis[12] | fis[13] << 8;
    ata->lba = fis[4] | fis[5] << 8 | fis[6] << 16 | (uint64_t)fis[8] << 24 |
               (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
    ata->tag = c->slot;
    port->command[c->slot] = ata;
    port->cmd = (port->cmd & ~(0x1Fu << AHCI_CMD_CCS_SHIFT)) | c->slot << AHCI_CMD_CCS_SHIFT;
    if (command_is_queued(ata->command)) {
        /* Taken into the drive's queue: the slot's bit goes, the tag's stays. */
        port->ci &= ~(1u << c->slot);
    } else {
        port->tfd |= ATA_BSY;
    }
    ata_start(ata);
}

/* Fetches slot @slot (§4.2.2, §4.2.3). */
static void port_fetch(AhciPort *port, unsigned slot)
{
    uint8_t header[HEADER_SIZE], fis[64];
    AddressSpace *memory = port_memory(port);

    if (!dma_read(memory, ahci_port_command_list(port) + slot * HEADER_SIZE, header,
                  sizeof header)) {
        ahci_port_fail(port, AHCI_IS_HBFS);
        return;
    }
    uint64_t table = (uint64_t)get_le32(header + 12) << 32 | (get_le32(header + 8) & ~0x7Fu);
    if (!dma_read(memory, table, fis, sizeof fis)) {
        ahci_port_fail(port, AHCI_IS_HBFS);
        return;
    }
    if (fis[0] != 0x27) {
        guest_warn(&port->ahci->pci.dev, "port %u: FIS of type %02x instead of a register FIS",
                   port->index, fis[0]);
        port->ci &= ~(1u << slot);
        return;
    }
    if (!(fis[1] & 0x80)) {
        port_control(port, slot, fis[15]);
        return;
    }
    AhciCommand *c = g_new0(AhciCommand, 1);
    c->port = port;
    c->slot = slot;
    c->flags = get_le32(header);
    c->n_prd = c->flags >> 16;
    c->table = table;
    if (c->flags & HEADER_ATAPI &&
        !dma_read(memory, table + TABLE_ACMD, c->ata.packet, sizeof c->ata.packet)) {
        g_free(c);
        ahci_port_fail(port, AHCI_IS_HBFS);
        return;
    }
    port_start_command(port, c, fis);
}

/* What is under way: queued commands may run together, others alone. */
static bool port_may_start(const AhciPort *port, bool *out_queued_only)
{
    *out_queued_only = false;
    for (unsigned slot = 0; slot < 32; slot++) {
        const AtaCommand *command = port->command[slot];
        if (!command)
            continue;
        if (!command->is_queued)
            return false;
        *out_queued_only = true;
    }
    return true;
}

/* Slots that hold a queued command say so in SACT before CI. */
void ahci_port_run(AhciPort *port)
{
    bool queued_only;

    while (port->ci && port->cmd & AHCI_CMD_ST && !port->halted && port->drive.ops &&
           pci_device_bus_master(&port->ahci->pci) && port_may_start(port, &queued_only)) {
        uint32_t ready = queued_only ? port->ci & port->sact : port->ci;
        if (!ready)
            break;
        unsigned slot = port->next_slot;
        while (!(ready & 1u << slot))
            slot = (slot + 1) % 32;
        port->next_slot = (uint8_t)((slot + 1) % 32);
        port_fetch(port, slot);
    }
}
