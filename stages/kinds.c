/* The table of stage kinds. A new kind has a line in both lists. */
#include "stages/kind.h"

#include <string.h>

extern const struct kind kind_ingest_csv, kind_synthetic_faces, kind_filter_noise,
    kind_find_duplicates, kind_drop_rows, kind_choose_engines, kind_train_cnn,
    kind_extract_features, kind_fuse_features, kind_cross_validate_svm, kind_train_svm,
    kind_predict, kind_knn, kind_decision_tree, kind_random_forest, kind_naive_bayes,
    kind_logistic_regression, kind_linear_discriminant, kind_soft_vote, kind_metrics, kind_command,
    kind_report_tables, kind_report_pdf;

const struct kind *const kinds[] = {
    &kind_ingest_csv,
    &kind_synthetic_faces,
    &kind_filter_noise,
    &kind_find_duplicates,
    &kind_drop_rows,
    &kind_choose_engines,
    &kind_train_cnn,
    &kind_extract_features,
    &kind_fuse_features,
    &kind_cross_validate_svm,
    &kind_train_svm,
    &kind_predict,
    &kind_knn,
    &kind_decision_tree,
    &kind_random_forest,
    &kind_naive_bayes,
    &kind_logistic_regression,
    &kind_linear_discriminant,
    &kind_soft_vote,
    &kind_metrics,
    &kind_command,
    &kind_report_tables,
    &kind_report_pdf,
    NULL,
};

const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; kinds[i]; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

const char *kind_key_name(const struct kind *kind)
{
    return kind->key_name ? kind->key_name : kind->name;
}

const char *param_key_name(const struct param *param)
{
    return param->key_name ? param->key_name : param->name;
}
