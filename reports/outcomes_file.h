/* The outcomes of single images behind the tables' accuracies, so that anyone can redo the paired
 * tests of the claims. */
#ifndef FERDAG_REPORTS_OUTCOMES_FILE_H
#define FERDAG_REPORTS_OUTCOMES_FILE_H

#include <jansson.h>
#include "base/error.h"

/* Writes outcomes.json into a folder, for the cells of tables (see cells_evaluate) that have
 * outcomes; no file if none has. {"images": {"1": truth, ...}, "cells": {"table/row/column":
 * {"images": "1", "predicted": [digits of each seed]}}}: truth and predicted hold one digit, the
 * class, for each image in the order of the data set; cells with the same "images" can be paired.
 * Cells whose seeds were tested on different images are left out. -ENOMEM; errors of the disk. */
int outcomes_write(const char *folder, const json_t *tables, struct error *err);

#endif
