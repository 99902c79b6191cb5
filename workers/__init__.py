"""Where Temporal lives, alone: the cohort workflow, activities, dispatcher, entry, and the channels' providers."""
