return require "import.crontab".of "supercronic"
