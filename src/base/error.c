/*
 * duet_explain(): the list of results in <duet/error.h> as a table.
 */
#include <duet/error.h>

#include <stddef.h>

#define RESULT_LINE(name, number, class, sentence, cure)                                           \
    {number, DUET_CLASS_##class, "DUET_" #name, sentence, cure},

static const duet_result_info table[] = {DUET_RESULTS(RESULT_LINE)};

const duet_result_info *
duet_explain(int result)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].number == result)
            return &table[i];
    }
    return NULL;
}
