/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Interrupt messages that any thread can send without waiting for the board. A route is one input
 * (a vector of a device); while it is connected, its message is known, and the CPU backend may have
 * it sent by the host's kernel when the route's eventfd is written (KVM's irqfd). Everywhere else,
 * and while a route is not connected (a masked vector), a signal goes to its owner with the board
 * lock held. No signal is lost when a guest changes its CPU, or a route its message.
 *
 * Levels (INTx) have no routes. What the kernel offers for them, an irqfd with a second eventfd
 * that asks for the level again at EOI (KVM_IRQFD_FLAG_RESAMPLE), belongs to the kernel's own I/O
 * APIC, and is refused where that is ours: there is no kernel input to hold the line and no EOI
 * that the kernel would translate back to one. Our I/O APIC gets the EOI as an exit and looks at
 * its wires again (ioapic_on_eoi()), which is the resampling; so an INTx line is set with the board
 * lock held.
 *
 * Included by MSI-X, PCI and machine code that changes CPUs. Board lock held but where said. */

#include "core/cpu/cpu.h"

typedef struct MsiRouter MsiRouter;
typedef struct MsiRoute MsiRoute;

MsiRouter *msi_router_new(void);
void msi_router_free(MsiRouter *router); /* after its routes */
/* The CPUs of @ops and @backend are there, in the state that the guest goes on with. */
void msi_router_attach(MsiRouter *router, const CpuOps *ops, void *backend);
/* They are about to give their state away, or to go. Each signal sent before is with the local
 * APICs when this returns, later ones are kept by the board lock. */
void msi_router_detach(MsiRouter *router);

/* @deliver: the owner's, called with the board lock (@dev's) held; sends @input's message or, if it
 * may not, remembers it. NULL: the host has no more eventfds. */
MsiRoute *msi_route_new(MsiRouter *router, Device *dev,
                        void (*deliver)(void *opaque, unsigned input), void *opaque,
                        unsigned input);
void msi_route_free(MsiRoute *route);
/* Signals are this message from now on. */
void msi_route_connect(MsiRoute *route, uint64_t address, uint32_t data);
/* Signals go to the owner again, with those that are on their way. */
void msi_route_disconnect(MsiRoute *route);

/* Any thread; the board lock is not held, or by the caller. */
void msi_route_signal(MsiRoute *route);
