/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The app: one library, its windows, and what the desktop asks of it (open a file, activate). */

#include <adwaita.h>

G_BEGIN_DECLS

#define VITRINE_APP_ID "org.vitrine.Vitrine"
#define VITRINE_TYPE_APPLICATION (vitrine_application_get_type())
G_DECLARE_FINAL_TYPE(VitrineApplication, vitrine_application, VITRINE, APPLICATION, AdwApplication)

VitrineApplication *vitrine_application_new(void);

G_END_DECLS
