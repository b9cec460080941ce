/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Serial port, 16550A: 16-byte FIFOs, modem lines of a null-modem cable with somebody at the other
 * end. Included by the board. TI PC16550D datasheet. */

#include "core/dev/char-backend.h"
#include "core/irq/irq.h"

/* @port: 0x3F8 with IRQ 4 is COM1. @chr stays the caller's and must outlive the device. */
Device *uart_new(CharBackend *chr, IrqLine irq, uint16_t port);
