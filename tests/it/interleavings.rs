//! Two or three transactions that meet, in every order of their statements: not by chance, and never by waiting for a while.

mod hostage;
mod jobs;
mod lanes;
mod limits;
mod maintenance;
mod marks;
mod play;
mod prepared;
mod stage;
