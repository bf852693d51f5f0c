/*
 * The nearest word (see suggest.h), by the letters that must be changed, put in, left out, or
 * exchanged with the next one.
 */
#include "suggest.h"

#include <stdio.h>
#include <string.h>

enum { LETTERS_MOST = 32, APART_MOST = 2 };

static unsigned
least_of_two(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/** How many such steps lie between a word of so many letters and another, of LETTERS_MOST at most.
 */
static unsigned
distance(const char *word, size_t size, const char *other)
{
    unsigned steps[LETTERS_MOST + 1][LETTERS_MOST + 1];
    size_t length = strlen(other);

    for (size_t i = 0; i <= size; i++)
        for (size_t j = 0; j <= length; j++) {
            if (i == 0 || j == 0) {
                steps[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned change = word[i - 1] != other[j - 1];
            steps[i][j] = least_of_two(least_of_two(steps[i - 1][j], steps[i][j - 1]) + 1,
                                       steps[i - 1][j - 1] + change);
            if (i > 1 && j > 1 && word[i - 1] == other[j - 2] && word[i - 2] == other[j - 1])
                steps[i][j] = least_of_two(steps[i][j], steps[i - 2][j - 2] + 1);
        }
    return steps[size][length];
}

void
suggest_try(struct suggestion *guess, const char *candidate)
{
    if (guess->size > LETTERS_MOST || strlen(candidate) > LETTERS_MOST)
        return;
    unsigned apart = distance(guess->word, guess->size, candidate);
    /* A short word is near to many. */
    if (apart > APART_MOST || apart > (guess->size + 1) / 3)
        return;
    if (guess->best == NULL || apart < guess->apart) {
        guess->best = candidate;
        guess->apart = apart;
    }
}

const char *
suggest_text(const struct suggestion *guess, const char *before)
{
    static char text[LETTERS_MOST + 32];

    if (guess->best == NULL)
        return "";
    snprintf(text, sizeof text, " (did you mean %s%s?)", before, guess->best);
    return text;
}
