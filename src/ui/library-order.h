/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* In which order the library shows machines, and which of them a search finds. Included by the
 * library page and its tests. */

#include "client/settings.h"
#include "ui/machine.h"

/* As strcmp(). Ties are broken by name, then by path, so that an order is always the same one. */
int library_order_compare(VitrineMachine *a, VitrineMachine *b, SortOrder order);
/* Whether each word of @search is in the machine's name, whatever the case. */
bool library_order_matches(VitrineMachine *machine, const char *search);
